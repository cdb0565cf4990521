//! Rows that several queries need, locked in the one order: runs by id, then tasks.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{ids::RunId, run::TaskCounts};

use super::{
    dialect::Conn,
    rows::{RunRow, named},
    schema::{runs, tasks},
};
use crate::{Result, error::During, key::Key};

/// Runs by id.
pub(crate) type Runs = BTreeMap<RunId, RunRow>;

/// Locks these runs; those that do not exist are left out.
pub(crate) async fn lock_runs(conn: &mut Conn, ids: Vec<RunId>) -> Result<Runs> {
    let keys = distinct(ids);
    let query = locked!(
        runs::table.filter(runs::id.eq_any(keys)).order(runs::id).select(RunRow::as_select())
    );
    let rows: Vec<RunRow> = query.load(conn).await.during("lock runs")?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row)).collect())
}

fn distinct(ids: Vec<RunId>) -> Vec<Key> {
    let mut keys: Vec<Key> = ids.into_iter().map(Key::from).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// How many tasks of each of these runs are in each state.
pub(crate) async fn count_tasks(
    conn: &mut Conn,
    ids: Vec<RunId>,
) -> Result<BTreeMap<RunId, TaskCounts>> {
    let rows: Vec<(Key, String, i64)> = tasks::table
        .filter(tasks::run_id.eq_any(distinct(ids)))
        .group_by((tasks::run_id, tasks::status))
        .select((tasks::run_id, tasks::status, diesel::dsl::count_star()))
        .load(conn)
        .await
        .during("count the tasks of runs")?;
    let mut counts: BTreeMap<RunId, TaskCounts> = BTreeMap::new();
    for (run, status, count) in rows {
        counts.entry(run.into()).or_default().add(named("tasks.status", &status)?, count);
    }
    Ok(counts)
}
