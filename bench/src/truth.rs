//! What the database says of the work: whether it is done, and whether its history is whole.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{bail, ensure};
use serde_json::{Value, json};
use tokio::time;
use tokio_postgres::Client;

use crate::figures::rounded;

/// How often it is looked whether all is done: the error of a throughput's time.
const LOOK: Duration = Duration::from_millis(5);
/// Without progress for so long, nothing more is waited for.
const STUCK: Duration = Duration::from_secs(60);

/// The tables that work fills, emptied between measures. What operators made (API keys, schedules) stays.
const WORK: &str = "runs, tasks, dependencies, events, outbox, dead_letters, turns, approvals, deliveries, firings, idempotency";

/// Runs that are not over.
const LIVE: &str = "status IN ('queued', 'running', 'waiting', 'paused')";

/// A database that looks as after a quiet night: no work, no statistics of earlier work, nothing to write back.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn empty(database: &Client) -> anyhow::Result<()> {
    database.batch_execute(&format!("TRUNCATE {WORK}")).await?;
    settle(database).await
}

/// Cleans up and writes back what earlier work left behind, so that it does not happen within the next measure.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn settle(database: &Client) -> anyhow::Result<()> {
    database.batch_execute("VACUUM ANALYZE").await?;
    database.batch_execute("CHECKPOINT").await?;
    Ok(())
}

/// The database's clock.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn now(database: &Client) -> anyhow::Result<SystemTime> {
    Ok(database.query_one("SELECT clock_timestamp()", &[]).await?.get(0))
}

/// How many runs are not over. They have an index of their own, so that it does not matter how many are.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn live_runs(database: &Client) -> anyhow::Result<f64> {
    let counted = format!("SELECT count(*)::float8 FROM runs WHERE {LIVE}");
    Ok(database.query_one(&counted, &[]).await?.get(0))
}

/// Waits until no run is live; gives the moment at which that was seen.
///
/// # Errors
/// If nothing moves any more.
pub(crate) async fn until_done(database: &Client) -> anyhow::Result<Instant> {
    let live = database.prepare(&format!("SELECT EXISTS (SELECT FROM runs WHERE {LIVE})")).await?;
    let (mut looked, mut before) = (Instant::now(), -1_i64);
    loop {
        if !database.query_one(&live, &[]).await?.get::<_, bool>(0) {
            return Ok(Instant::now());
        }
        if looked.elapsed() > STUCK {
            let left: i64 = database
                .query_one("SELECT count(*) FROM tasks WHERE finished_at IS NULL", &[])
                .await?
                .get(0);
            if left == before {
                bail!("{left} tasks are left and nothing has moved for {STUCK:?}");
            }
            (looked, before) = (Instant::now(), left);
        }
        time::sleep(LOOK).await;
    }
}

/// Waits until every message was confirmed and its row is gone: the last cost of a task.
///
/// # Errors
/// If that does not happen.
pub(crate) async fn until_announced(database: &Client) -> anyhow::Result<()> {
    let begun = Instant::now();
    while database.query_one("SELECT EXISTS (SELECT FROM outbox)", &[]).await?.get::<_, bool>(0) {
        ensure!(begun.elapsed() < STUCK, "messages stay in the outbox");
        time::sleep(LOOK * 4).await;
    }
    Ok(())
}

/// Fails unless exactly so many tasks were made since a moment, all of them completed, each with its whole history.
///
/// # Errors
/// With what is wrong.
pub(crate) async fn check(
    database: &Client,
    since: SystemTime,
    tasks: usize,
    runs: usize,
) -> anyhow::Result<Value> {
    let row = database
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE status = 'completed'), count(DISTINCT run_id), sum(attempt)::bigint
               FROM tasks WHERE created_at >= $1",
            &[&since],
        )
        .await?;
    let (made, completed): (i64, i64) = (row.get(0), row.get(1));
    let (in_runs, attempts): (i64, Option<i64>) = (row.get(2), row.get(3));
    let (tasks, runs) = (i64::try_from(tasks)?, i64::try_from(runs)?);
    ensure!(
        made == tasks && completed == tasks,
        "{made} tasks were made, {completed} completed; {tasks} should be"
    );
    ensure!(in_runs == runs, "the tasks are of {in_runs} runs; {runs} should be");
    let events = database
        .query(
            "SELECT kind, count(*), count(DISTINCT task_id), count(DISTINCT run_id)
               FROM events WHERE at >= $1 GROUP BY kind ORDER BY kind",
            &[&since],
        )
        .await?;
    let events: BTreeMap<String, (i64, i64, i64)> =
        events.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect();
    for kind in ["task.created", "task.started", "task.completed"] {
        let found = events.get(kind).copied().unwrap_or_default();
        ensure!(
            found == (tasks, tasks, runs),
            "{kind}: {found:?} events, tasks, runs; {tasks} of {runs} should be"
        );
    }
    for kind in ["run.created", "run.completed"] {
        let found = events.get(kind).copied().unwrap_or_default();
        ensure!(
            (found.0, found.2) == (runs, runs),
            "{kind}: {found:?} events, tasks, runs; {runs} runs should be"
        );
    }
    let all: i64 = events.values().map(|it| it.0).sum();
    Ok(json!({ "tasks": tasks, "runs": runs, "events": all, "attempts": attempts }))
}

/// What the database has written so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    wal_bytes: f64,
    transactions: f64,
    flushes: f64,
    flush_ms: f64,
}

impl Written {
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn now(database: &Client) -> anyhow::Result<Self> {
        let row = database
            .query_one(
                "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8,
                        pg_snapshot_xmax(pg_current_snapshot())::text::float8,
                        wal_sync::float8, wal_sync_time
                   FROM pg_stat_wal",
                &[],
            )
            .await?;
        Ok(Self {
            wal_bytes: row.get(0),
            transactions: row.get(1),
            flushes: row.get(2),
            flush_ms: row.get(3),
        })
    }

    /// What was written since, for each of `count`; and how long a flush took. Flushes are told by each process of the server only
    /// now and then, so that their number is not exact.
    pub(crate) fn since(&self, earlier: &Self, count: usize) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "a count of tasks is far below 2^52")]
        let count = count.max(1) as f64;
        let flushes = self.flushes - earlier.flushes;
        json!({
            "wal_bytes": rounded((self.wal_bytes - earlier.wal_bytes) / count, 0),
            "transactions_that_write": rounded((self.transactions - earlier.transactions) / count, 4),
            "flushes_about": rounded(flushes / count, 3),
            "ms_per_flush": rounded((self.flush_ms - earlier.flush_ms) / flushes.max(1.0), 3),
        })
    }
}
