//! Conditions that stand in a statement as they are, and not as a bind.
//!
//! A partial index such as `… WHERE status = 'queued'` serves a statement only if Postgres can see, when it makes the plan,
//! that the condition holds. With `status = $1` a plan that is kept for all values cannot use it.

use diesel::{
    backend::Backend,
    expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::Bool,
};
use domain::task::TaskStatus;

/// A condition on a task's status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusIs(&'static str);

/// `tasks.status = '…'`, as the partial indexes have it.
pub(crate) const fn status_is(status: TaskStatus) -> StatusIs {
    StatusIs(match status {
        TaskStatus::Pending => "tasks.status = 'pending'",
        TaskStatus::Queued => "tasks.status = 'queued'",
        TaskStatus::Running => "tasks.status = 'running'",
        TaskStatus::Retrying => "tasks.status = 'retrying'",
        TaskStatus::Waiting => "tasks.status = 'waiting'",
        TaskStatus::Completed => "tasks.status = 'completed'",
        TaskStatus::Failed => "tasks.status = 'failed'",
        TaskStatus::Cancelled => "tasks.status = 'cancelled'",
    })
}

impl Expression for StatusIs {
    type SqlType = Bool;
}

impl<DB: Backend> QueryFragment<DB> for StatusIs {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(self.0);
        Ok(())
    }
}

impl QueryId for StatusIs {
    type QueryId = ();
    // The text differs from value to value, so statements are told apart by it.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<QS> AppearsOnTable<QS> for StatusIs {}
impl<QS> SelectableExpression<QS> for StatusIs {}

impl<G> ValidGrouping<G> for StatusIs {
    type IsAggregate = is_aggregate::Never;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_names_its_status() {
        for status in TaskStatus::ALL {
            assert_eq!(status_is(*status).0, format!("tasks.status = '{status}'"));
        }
    }
}
