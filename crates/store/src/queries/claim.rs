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
    bulk,
    dialect::{self, Conn},
    history::Journal,
    lookup::{self, Runs},
    rows::{LockedRun, typed},
    schema::{runs, tasks},
};
use crate::{
    Error, Result,
    error::During,
    key::{Key, keys},
    literal::status_is,
    tasks::ClaimTerms,
};

pub(crate) async fn claim(
    conn: &mut Conn,
    ids: Vec<TaskId>,
    terms: ClaimTerms,
) -> Result<Vec<ClaimedTask>> {
    let ids = keys(&ids);
    // Locked, though few of them change: their history is written in the order in which it can be read.
    let (runs, now) = lookup::lock_runs_of_queued(conn, &ids).await?;
    let mut journal = Journal::new(now);
    let claimed = take_and_start(conn, ids, terms, runs, &mut journal).await?;
    journal.write(conn).await?;
    Ok(claimed)
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
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, places): (Vec<Key>, Vec<RunId>) =
        candidates.into_iter().map(|(task, run)| (task, RunId::from(run))).unzip();
    let (runs, now) = lookup::lock_runs_now(conn, places).await?;
    let mut journal = Journal::new(now);
    let claimed = take_and_start(conn, ids, terms, runs, &mut journal).await?;
    journal.write(conn).await?;
    Ok(claimed)
}

/// Takes the lease of those of these tasks that are queued, and starts their runs, which the caller has locked.
pub(crate) async fn take_and_start(
    conn: &mut Conn,
    ids: Vec<Key>,
    terms: ClaimTerms,
    mut runs: Runs,
    journal: &mut Journal,
) -> Result<Vec<ClaimedTask>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    runs.retain(|_, run| is_understood(run));
    let claimed = take(conn, ids, &[TaskStatus::Queued], terms, &runs, journal).await?;
    let begun = claimed.iter().map(|task| task.run_id).collect();
    start_runs(conn, begun, &mut runs, journal).await?;
    Ok(claimed)
}

/// Whether a run's row is one that this version understands. A newer one may have written it: then a newer worker takes its
/// tasks, and this one goes on with the others.
fn is_understood(run: &LockedRun) -> bool {
    match run.facts() {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(run.id = %RunId::from(run.id), "A run's tasks are left to a newer version: {error}");
            false
        }
    }
}

/// Marks those of these runs as running that have not begun, or had come to a halt.
async fn start_runs(
    conn: &mut Conn,
    ids: BTreeSet<RunId>,
    runs: &mut Runs,
    journal: &mut Journal,
) -> Result<()> {
    let now = journal.now;
    let idle = [RunStatus::Queued.name(), RunStatus::Waiting.name()];
    let (mut halted, mut first) = (Vec::new(), Vec::new());
    for id in ids {
        let Some(row) = runs.get_mut(&id).filter(|row| idle.contains(&row.status.as_str())) else {
            continue;
        };
        RunStatus::Running.name().clone_into(&mut row.status);
        journal.run(id, EventKind::RunStarted, json!({}));
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
    Ok(())
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

/// What may be taken, and on which terms.
pub(crate) struct Take<'a> {
    pub(crate) ids: Vec<Key>,
    /// Locked; tasks of others are left alone.
    pub(crate) runs: Vec<Key>,
    /// Kinds that a newer version has made are for its workers.
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) from: Vec<&'static str>,
    pub(crate) terms: ClaimTerms,
    pub(crate) journal: &'a Journal,
}

/// Takes the lease of those of these tasks that are in one of the states to come `from`: queued, or pending where the caller
/// knows, by the lock on its run, that nothing holds it back.
pub(crate) async fn take(
    conn: &mut Conn,
    ids: Vec<Key>,
    from: &[TaskStatus],
    terms: ClaimTerms,
    runs: &Runs,
    journal: &mut Journal,
) -> Result<Vec<ClaimedTask>> {
    if ids.is_empty() || runs.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = TaskKind::ALL.iter().map(|kind| kind.name()).collect();
    let places = runs.values().map(|run| run.id).collect();
    let from = from.iter().map(|status| status.name()).collect();
    let take = Take { ids, runs: places, kinds, from, terms, journal: &*journal };
    let rows = bulk::take_tasks(conn, take).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let run = runs.get(&row.run_id.into()).ok_or_else(|| Error::Corrupt {
            column: "tasks.run_id",
            what: "a run that was not read".to_owned(),
        })?;
        claimed.push(row.into_claimed(run.facts()?, journal.now)?);
    }
    for task in &claimed {
        let data = json!({ "workerId": terms.worker });
        journal.task((task.run_id, task.id), EventKind::TaskStarted, task.attempt, data);
    }
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
            .select((tasks::id, tasks::fence))
    );
    let mut free: Vec<(Key, i64)> = free.load(conn).await.during("lock leases to renew")?;
    // A newer claim by the same worker is renewed by that claim alone.
    free.retain(|(id, fence)| held.contains(&((*id).into(), *fence)));
    let free: Vec<Key> = free.into_iter().map(|(id, _)| id).collect();
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
