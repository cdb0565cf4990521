//! Claim and renew: how a worker gets and keeps the lease of tasks.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    role::Role,
    run::{Budget, RunStatus},
    task::{ClaimedTask, TaskKind, TaskStatus},
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
    literal::status_is,
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
        .filter(status_is(TaskStatus::Queued))
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
        .filter(status_is(TaskStatus::Queued))
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
    // Locked, though few of them change: their history is written in the order in which it can be read.
    let mut runs = lookup::lock_runs(conn, places).await?;
    let ids = candidates.into_iter().filter(|(_, run)| is_understood(&runs, (*run).into()));
    let ids = ids.map(|(task, _)| task).collect();
    let claimed = take(conn, ids, terms, &runs, now).await?;
    let begun = claimed.iter().map(|task| task.run_id).collect();
    start_runs(conn, begun, &mut runs, now).await?;
    Ok(claimed)
}

/// Whether a run's row is one that this version understands. A newer one may have written it: then a newer worker takes its
/// tasks, and this one goes on with the others.
fn is_understood(runs: &Runs, id: RunId) -> bool {
    match runs.get(&id).map(super::rows::RunRow::facts) {
        Some(Ok(_)) => true,
        Some(Err(error)) => {
            tracing::error!(run.id = %id, "A run's tasks are left to a newer version: {error}");
            false
        }
        None => false,
    }
}

/// Marks those of these runs as running that have not begun, or had come to a halt.
async fn start_runs(
    conn: &mut Conn,
    ids: BTreeSet<RunId>,
    runs: &mut Runs,
    now: DateTime<Utc>,
) -> Result<()> {
    let idle = [RunStatus::Queued.name(), RunStatus::Waiting.name()];
    let (mut halted, mut first, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let Some(row) = runs.get_mut(&id).filter(|row| idle.contains(&row.status.as_str())) else {
            continue;
        };
        RunStatus::Running.name().clone_into(&mut row.status);
        events.push(NewEvent::of_run(id, now, EventKind::RunStarted, json!({})));
        if row.started_at.is_some() {
            halted.push(row.id);
            continue;
        }
        row.started_at = Some(now);
        match typed::<Budget>("runs.budget", row.budget.clone())?.max_minutes {
            Some(minutes) => start_with_deadline(conn, row.id, now, minutes).await?,
            None => first.push(row.id),
        }
    }
    if !first.is_empty() {
        diesel::update(runs::table.filter(runs::id.eq_any(first)))
            .set((runs::status.eq(RunStatus::Running.name()), runs::started_at.eq(now)))
            .execute(conn)
            .await
            .during("start runs")?;
    }
    if !halted.is_empty() {
        diesel::update(runs::table.filter(runs::id.eq_any(halted)))
            .set(runs::status.eq(RunStatus::Running.name()))
            .execute(conn)
            .await
            .during("start runs again")?;
    }
    history::append(conn, events).await
}

/// Only runs with a budget of minutes have a deadline: a statement for each is rare.
async fn start_with_deadline(
    conn: &mut Conn,
    id: Key,
    now: DateTime<Utc>,
    minutes: i64,
) -> Result<()> {
    let deadline = TimeDelta::try_minutes(minutes).and_then(|span| now.checked_add_signed(span));
    diesel::update(runs::table.find(id))
        .set((
            runs::status.eq(RunStatus::Running.name()),
            runs::started_at.eq(now),
            runs::deadline_at.eq(deadline),
        ))
        .execute(conn)
        .await
        .during("start a run with a deadline")
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
    // Kinds that a newer version has made are for its workers.
    let kinds: Vec<_> = TaskKind::ALL.iter().map(|kind| kind.name()).collect();
    let free = locked_if_free!(
        tasks::table
            .filter(tasks::id.eq_any(ids))
            .filter(status_is(TaskStatus::Queued))
            .filter(tasks::kind.eq_any(kinds))
            .filter(
                tasks::max_attempts.is_null().or(tasks::attempt.nullable().lt(tasks::max_attempts))
            )
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
    let worker = Key::from(terms.worker);
    let ids: Vec<Key> = held.iter().map(|(id, _)| (*id).into()).collect();
    // A row that somebody else holds is about to change: waiting for it could end in a circle of locks.
    let free = locked_if_free!(
        tasks::table
            .filter(tasks::id.eq_any(&ids))
            .filter(tasks::worker_id.eq(worker))
            .select(tasks::id)
    );
    let free: Vec<Key> = free.load(conn).await.during("lock leases to renew")?;
    diesel::update(tasks::table.filter(tasks::id.eq_any(free)))
        .filter(tasks::status.eq(TaskStatus::Running.name()))
        .filter(tasks::worker_id.eq(worker))
        .set(tasks::leased_until.eq(now + terms.lease))
        .execute(conn)
        .await
        .during("renew leases")?;
    let mine: Vec<(Key, i64)> = tasks::table
        .filter(tasks::id.eq_any(ids))
        .filter(tasks::status.eq(TaskStatus::Running.name()))
        .filter(tasks::worker_id.eq(worker))
        .select((tasks::id, tasks::fence))
        .load(conn)
        .await
        .during("look at leases")?;
    let mine: HashSet<(TaskId, i64)> =
        mine.into_iter().map(|(id, fence)| (id.into(), fence)).collect();
    Ok(held.into_iter().filter(|held| !mine.contains(held)).map(|(id, _)| id).collect())
}

pub(crate) async fn recently_cancelled(conn: &mut Conn, within: Duration) -> Result<Vec<TaskId>> {
    let since = dialect::now(conn).await? - within;
    let ids: Vec<Key> = tasks::table
        .filter(status_is(TaskStatus::Cancelled))
        .filter(tasks::finished_at.gt(since))
        // One that never began is nobody's to stop.
        .filter(tasks::started_at.is_not_null())
        .select(tasks::id)
        .load(conn)
        .await
        .during("look for cancelled tasks")?;
    Ok(ids.into_iter().map(TaskId::from).collect())
}
