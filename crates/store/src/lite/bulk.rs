//! Rows that change each in their own way, one statement each: the transaction is in this process.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Integer, Nullable},
};
use diesel_async::RunQueryDsl;
use domain::task::TaskStatus;

use super::{
    claim::Take,
    dialect::Conn,
    rows::ClaimRow,
    run_status::RunChange,
    schema::{runs, tasks},
    settle::{Holder, SettleRow, failure_columns},
};
use crate::{Result, error::During, key::Key};

/// A pattern of LIKE that finds `text` as it is.
pub(crate) fn pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

diesel::define_sql_function! {
    /// The first that is not null.
    fn coalesce(x: Nullable<Integer>, y: Integer) -> Integer;
}

/// Takes leases; see [`super::claim::take`].
pub(crate) async fn take_tasks(conn: &mut Conn, take: Take<'_>) -> Result<Vec<ClaimRow>> {
    let Take { ids, runs, kinds, from, terms, journal } = take;
    let free: Vec<(Key, String)> = tasks::table
        .filter(tasks::id.eq_any(ids))
        .filter(tasks::run_id.eq_any(runs))
        .filter(tasks::kind.eq_any(kinds))
        .filter(tasks::status.eq_any(from))
        .filter(tasks::max_attempts.is_null().or(tasks::attempt.nullable().lt(tasks::max_attempts)))
        .order(tasks::id)
        .select((tasks::id, tasks::status))
        .load(conn)
        .await
        .during("find tasks to claim")?;
    let mut taken = Vec::with_capacity(free.len());
    for (id, status) in free {
        let held = status == TaskStatus::Pending.name();
        let row = diesel::update(tasks::table.find(id))
            .set((
                tasks::status.eq(TaskStatus::Running.name()),
                tasks::attempt.eq(tasks::attempt + 1),
                tasks::fence.eq(tasks::fence + 1),
                tasks::max_attempts
                    .eq(coalesce(tasks::max_attempts, terms.max_attempts).nullable()),
                tasks::worker_id.eq(Key::from(terms.worker)),
                tasks::leased_until.eq(journal.now + terms.lease),
                tasks::started_at.eq(journal.now),
                held.then_some(tasks::queued_at.eq(journal.now)),
            ))
            .returning(ClaimRow::as_returning())
            .get_result(conn)
            .await
            .during("claim a task")?;
        taken.push(row);
    }
    Ok(taken)
}

/// Ends attempts; gives back the tasks, with their fences, whose guard held.
pub(crate) async fn settle_tasks(
    conn: &mut Conn,
    rows: &[SettleRow],
    holder: Holder,
    now: DateTime<Utc>,
) -> Result<Vec<(Key, i64)>> {
    let mut settled = Vec::with_capacity(rows.len());
    for row in rows {
        let (code, message) = failure_columns(row.error.as_ref());
        let again = row.status == TaskStatus::Queued;
        let guard = tasks::table
            .find(row.id)
            .filter(tasks::status.eq(TaskStatus::Running.name()))
            .filter(tasks::fence.eq(row.fence));
        let values = (
            (
                tasks::status.eq(row.status.name()),
                tasks::attempt.eq(tasks::attempt + row.spent_attempts),
                tasks::result.eq(row.result.clone()),
                tasks::error_code.eq(code),
                tasks::error_message.eq(message),
                tasks::run_at.eq(row.run_at),
                tasks::worker_id.eq(None::<Key>),
                tasks::leased_until.eq(None::<DateTime<Utc>>),
                tasks::finished_at.eq(row.status.is_final().then_some(now)),
            ),
            (
                tasks::requests.eq(tasks::requests + row.usage.requests),
                tasks::tokens_in.eq(tasks::tokens_in + row.usage.tokens_in),
                tasks::tokens_out.eq(tasks::tokens_out + row.usage.tokens_out),
                tasks::model_ms.eq(tasks::model_ms + row.usage.model_ms),
            ),
            again.then_some((tasks::queued_at.eq(now), tasks::announced_at.eq(now))),
        );
        let changed = match holder {
            Holder::Worker(_) if faults::without(faults::Guard::Fence) => {
                diesel::update(tasks::table.find(row.id)).set(values).execute(conn).await
            }
            Holder::Worker(worker) => {
                let guard = guard.filter(tasks::worker_id.eq(Key::from(worker)));
                diesel::update(guard).set(values).execute(conn).await
            }
            Holder::Nobody => {
                let guard = guard.filter(tasks::leased_until.lt(now));
                diesel::update(guard).set(values).execute(conn).await
            }
        };
        if changed.during("settle a task")? > 0 {
            settled.push((row.id, row.fence));
        }
    }
    Ok(settled)
}

/// Writes the rows of runs as they shall be.
pub(crate) async fn update_runs(
    conn: &mut Conn,
    changes: &[RunChange],
    now: DateTime<Utc>,
) -> Result<()> {
    for change in changes {
        let ended = change.status.is_final();
        let progress = &change.progress;
        diesel::update(runs::table.find(Key::from(change.id)))
            .set((
                runs::status.eq(change.status.name()),
                runs::finished_at.eq(ended.then_some(now)),
                (!ended || change.outcome.is_some())
                    .then(|| runs::outcome.eq(change.outcome.clone())),
                runs::requests.eq(runs::requests + change.usage.requests),
                runs::tokens_in.eq(runs::tokens_in + change.usage.tokens_in),
                runs::tokens_out.eq(runs::tokens_out + change.usage.tokens_out),
                runs::model_ms.eq(runs::model_ms + change.usage.model_ms),
                progress.base_commit.as_ref().map(|it| runs::base_commit.eq(it)),
                progress.branch.as_ref().map(|it| runs::branch.eq(it)),
                progress.head_commit.as_ref().map(|it| runs::head_commit.eq(it)),
            ))
            .execute(conn)
            .await
            .during("update a run")?;
    }
    Ok(())
}
