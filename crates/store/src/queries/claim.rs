//! Claim and renew: how a worker gets and keeps the lease of tasks.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    role::Role,
    run::{Budget, RunStatus},
    task::{ClaimedTask, TaskStatus},
};
use serde_json::json;

use super::{
    dialect::{self, Conn},
    history::{self, NewEvent},
    lookup::{self, Runs},
    rows::{ClaimRow, typed},
    schema::{runs, tasks},
};
use crate::{
    Error, Result,
    error::During,
    key::{Key, keys},
    tasks::ClaimTerms,
};

diesel::define_sql_function! {
    /// The first that is not null.
    fn coalesce(x: diesel::sql_types::Nullable<diesel::sql_types::Integer>, y: diesel::sql_types::Integer)
        -> diesel::sql_types::Integer;
}

pub(crate) async fn claim(
    conn: &mut Conn,
    ids: Vec<TaskId>,
    terms: ClaimTerms,
) -> Result<Vec<ClaimedTask>> {
    let candidates: Vec<(Key, Key)> = tasks::table
        .filter(tasks::id.eq_any(keys(&ids)))
        .filter(tasks::status.eq(TaskStatus::Queued.name()))
        .select((tasks::id, tasks::run_id))
        .load(conn)
        .await
        .during("look for tasks to claim")?;
    claim_candidates(conn, candidates, terms).await
}

pub(crate) async fn claim_next(
    conn: &mut Conn,
    roles: Vec<Role>,
    limit: u32,
    terms: ClaimTerms,
) -> Result<Vec<ClaimedTask>> {
    let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
    let candidates: Vec<(Key, Key)> = tasks::table
        .filter(tasks::status.eq(TaskStatus::Queued.name()))
        .filter(tasks::role.eq_any(roles))
        .order((tasks::priority, tasks::queued_at))
        .limit(i64::from(limit))
        .select((tasks::id, tasks::run_id))
        .load(conn)
        .await
        .during("look for the next tasks")?;
    claim_candidates(conn, candidates, terms).await
}

async fn claim_candidates(
    conn: &mut Conn,
    candidates: Vec<(Key, Key)>,
    terms: ClaimTerms,
) -> Result<Vec<ClaimedTask>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let now = dialect::now(conn).await?;
    let places = candidates.iter().map(|(_, run)| (*run).into()).collect();
    let mut runs = lookup::read_runs(conn, places).await?;
    start_runs(conn, &mut runs, now).await?;
    take(conn, candidates.into_iter().map(|(task, _)| task).collect(), terms, &runs, now).await
}

/// Marks runs as running whose first task is about to begin. Before the tasks, as locks are ordered.
async fn start_runs(conn: &mut Conn, runs: &mut Runs, now: DateTime<Utc>) -> Result<()> {
    let idle =
        |status: &str| status == RunStatus::Queued.name() || status == RunStatus::Waiting.name();
    let ids: Vec<Key> = runs.values().filter(|row| idle(&row.status)).map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let query = locked!(
        runs::table
            .filter(runs::id.eq_any(ids))
            .filter(runs::status.eq_any([RunStatus::Queued.name(), RunStatus::Waiting.name()]))
            .order(runs::id)
            .select((runs::id, runs::started_at, runs::budget))
    );
    let rows: Vec<(Key, Option<DateTime<Utc>>, serde_json::Value)> =
        query.load(conn).await.during("lock runs to start")?;
    let ids: Vec<Key> = rows.iter().map(|row| row.0).collect();
    diesel::update(runs::table.filter(runs::id.eq_any(&ids)))
        .set(runs::status.eq(RunStatus::Running.name()))
        .execute(conn)
        .await
        .during("start runs")?;
    let first: Vec<Key> = rows.iter().filter(|row| row.1.is_none()).map(|row| row.0).collect();
    diesel::update(runs::table.filter(runs::id.eq_any(first)))
        .set(runs::started_at.eq(now))
        .execute(conn)
        .await
        .during("note the start of runs")?;
    for (id, started_at, budget) in rows {
        let budget: Budget = typed("runs.budget", budget)?;
        if let (None, Some(minutes)) = (started_at, budget.max_minutes) {
            set_deadline(conn, id, now + TimeDelta::minutes(minutes)).await?;
        }
    }
    let started: Vec<RunId> = ids.into_iter().map(RunId::from).collect();
    let events = started
        .iter()
        .map(|id| NewEvent::of_run(*id, now, EventKind::RunStarted, json!({})))
        .collect();
    for id in started {
        if let Some(row) = runs.get_mut(&id) {
            RunStatus::Running.name().clone_into(&mut row.status);
        }
    }
    history::append(conn, events).await
}

/// Only runs with a budget of minutes have one: a statement for each is rare.
async fn set_deadline(conn: &mut Conn, id: Key, at: DateTime<Utc>) -> Result<()> {
    diesel::update(runs::table.find(id))
        .set(runs::deadline_at.eq(at))
        .execute(conn)
        .await
        .during("set a run's deadline")
        .map(drop)
}

/// Takes the lease of those of these tasks that are still queued.
pub(crate) async fn take(
    conn: &mut Conn,
    ids: Vec<Key>,
    terms: ClaimTerms,
    runs: &Runs,
    now: DateTime<Utc>,
) -> Result<Vec<ClaimedTask>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let free = locked_if_free!(
        tasks::table
            .filter(tasks::id.eq_any(ids))
            .filter(tasks::status.eq(TaskStatus::Queued.name()))
            .order(tasks::id)
            .select(tasks::id)
    );
    let free: Vec<Key> = free.load(conn).await.during("lock tasks to claim")?;
    let rows: Vec<ClaimRow> = diesel::update(tasks::table.filter(tasks::id.eq_any(free)))
        .filter(tasks::status.eq(TaskStatus::Queued.name()))
        .set((
            tasks::status.eq(TaskStatus::Running.name()),
            tasks::attempt.eq(tasks::attempt + 1),
            tasks::fence.eq(tasks::fence + 1),
            tasks::max_attempts.eq(coalesce(tasks::max_attempts, terms.max_attempts).nullable()),
            tasks::worker_id.eq(Key::from(terms.worker)),
            tasks::leased_until.eq(now + terms.lease),
            tasks::started_at.eq(now),
        ))
        .returning(ClaimRow::as_returning())
        .get_results(conn)
        .await
        .during("claim tasks")?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let run = runs.get(&row.run_id.into()).ok_or_else(|| Error::Corrupt {
            column: "tasks.run_id",
            what: "a run that was not read".to_owned(),
        })?;
        claimed.push(row.into_claimed(run.facts()?, now)?);
    }
    let events = claimed.iter().map(|task| {
        let data = json!({ "workerId": terms.worker });
        NewEvent::of_task((task.run_id, task.id), now, EventKind::TaskStarted, task.attempt, data)
    });
    history::append(conn, events.collect()).await?;
    Ok(claimed)
}

pub(crate) async fn renew(
    conn: &mut Conn,
    held: Vec<(TaskId, i64)>,
    terms: ClaimTerms,
) -> Result<Vec<TaskId>> {
    let now = dialect::now(conn).await?;
    let ids: Vec<Key> = held.iter().map(|(id, _)| (*id).into()).collect();
    let kept: Vec<(Key, i64)> = diesel::update(tasks::table.filter(tasks::id.eq_any(ids)))
        .filter(tasks::status.eq(TaskStatus::Running.name()))
        .filter(tasks::worker_id.eq(Key::from(terms.worker)))
        .set(tasks::leased_until.eq(now + terms.lease))
        .returning((tasks::id, tasks::fence))
        .get_results(conn)
        .await
        .during("renew leases")?;
    let kept: HashSet<(TaskId, i64)> =
        kept.into_iter().map(|(id, fence)| (id.into(), fence)).collect();
    Ok(held.into_iter().filter(|held| !kept.contains(held)).map(|(id, _)| id).collect())
}

pub(crate) async fn recently_cancelled(conn: &mut Conn, within: Duration) -> Result<Vec<TaskId>> {
    let since = dialect::now(conn).await? - within;
    let ids: Vec<Key> = tasks::table
        .filter(tasks::status.eq(TaskStatus::Cancelled.name()))
        .filter(tasks::finished_at.gt(since))
        // One that never began is nobody's to stop.
        .filter(tasks::started_at.is_not_null())
        .select(tasks::id)
        .load(conn)
        .await
        .during("look for cancelled tasks")?;
    Ok(ids.into_iter().map(TaskId::from).collect())
}
