//! Rows that several queries need, locked in the one order: runs by id, then tasks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{ids::RunId, run::TaskCounts, task::TaskStatus};

use super::{
    dialect::{self, Conn},
    rows::{LockedRun, named},
    schema::{runs, tasks},
};
use crate::{Result, error::During, key::Key};

/// Runs by id.
pub(crate) type Runs = BTreeMap<RunId, LockedRun>;

/// Locks these runs; those that do not exist are left out.
pub(crate) async fn lock_runs(conn: &mut Conn, ids: Vec<RunId>) -> Result<Runs> {
    if ids.is_empty() {
        return Ok(Runs::new());
    }
    lock_runs_now(conn, ids).await.map(|(runs, _now)| runs)
}

/// Locks these runs, and reads the clock with them.
pub(crate) async fn lock_runs_now(
    conn: &mut Conn,
    ids: Vec<RunId>,
) -> Result<(Runs, DateTime<Utc>)> {
    let query = locked!(
        runs::table
            .filter(runs::id.eq_any(distinct(ids)))
            .order(runs::id)
            .select((LockedRun::as_select(), dialect::clock()))
    );
    let rows = query.load(conn).await.during("lock runs")?;
    with_time(conn, rows).await
}

/// Locks the runs of those of these tasks that are queued, and reads the clock with them.
pub(crate) async fn lock_runs_of_queued(
    conn: &mut Conn,
    ids: &[Key],
) -> Result<(Runs, DateTime<Utc>)> {
    let places = tasks::table
        .filter(tasks::id.eq_any(ids))
        // A value, not a literal: they are looked up by their ids, not among all that are queued.
        .filter(tasks::status.eq(TaskStatus::Queued.name()))
        .select(tasks::run_id);
    let query = locked!(
        runs::table
            .filter(runs::id.eq_any(places))
            .order(runs::id)
            .select((LockedRun::as_select(), dialect::clock()))
    );
    let rows = query.load(conn).await.during("lock the runs of tasks")?;
    with_time(conn, rows).await
}

async fn with_time(
    conn: &mut Conn,
    rows: Vec<(LockedRun, Option<DateTime<Utc>>)>,
) -> Result<(Runs, DateTime<Utc>)> {
    let now = match rows.iter().filter_map(|row| row.1).max() {
        Some(now) => now,
        None => dialect::now(conn).await?,
    };
    Ok((rows.into_iter().map(|(row, _)| (row.id.into(), row)).collect(), now))
}

/// Locks those of these runs that nobody else has locked. For whoever can take the others another time: a process that hangs in
/// the middle of a transaction must not hold up more than what it has locked.
pub(crate) async fn lock_free_runs(conn: &mut Conn, ids: Vec<RunId>) -> Result<Runs> {
    let keys = distinct(ids);
    let query = locked_if_free!(
        runs::table.filter(runs::id.eq_any(keys)).order(runs::id).select(LockedRun::as_select())
    );
    let rows: Vec<LockedRun> = query.load(conn).await.during("lock free runs")?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row)).collect())
}

fn distinct(ids: Vec<RunId>) -> Vec<Key> {
    let mut keys: Vec<Key> = ids.into_iter().map(Key::from).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// How many tasks of each run are in each state.
pub(crate) type Counts = BTreeMap<RunId, TaskCounts>;

/// How many tasks of each of these runs are in each state.
pub(crate) async fn count_tasks(conn: &mut Conn, ids: Vec<RunId>) -> Result<Counts> {
    if ids.is_empty() {
        return Ok(Counts::new());
    }
    let rows: Vec<(Key, String, i64)> = tasks::table
        .filter(tasks::run_id.eq_any(distinct(ids)))
        .group_by((tasks::run_id, tasks::status))
        .select((tasks::run_id, tasks::status, diesel::dsl::count_star()))
        .load(conn)
        .await
        .during("count the tasks of runs")?;
    let mut counts = Counts::new();
    for (run, status, count) in rows {
        counts.entry(run.into()).or_default().add(named("tasks.status", &status)?, count);
    }
    Ok(counts)
}
