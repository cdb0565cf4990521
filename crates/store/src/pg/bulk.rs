//! Rows that change each in their own way, in one statement for all: arrays go in, `unnest` makes a table of them.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Integer, Json, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use domain::task::TaskStatus;

use super::{
    claim::Take,
    dialect::Conn,
    rows::ClaimRow,
    run_status::RunChange,
    settle::{Holder, SettleRow, failure_columns},
    statement::Statement,
};
use crate::{Result, error::During, key::Key};

/// A pattern of ILIKE that finds `text` as it is.
pub(crate) fn pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

const TAKE: &str = "
UPDATE tasks t
   SET status = 'running',
       attempt = t.attempt + 1,
       fence = t.fence + 1,
       max_attempts = coalesce(t.max_attempts, given.max_attempts),
       worker_id = given.worker,
       leased_until = given.leased_until,
       started_at = given.now,
       queued_at = CASE WHEN t.status = 'queued' THEN t.queued_at ELSE given.now END
  FROM (SELECT ? AS now, ? AS worker, ? AS leased_until, ? AS max_attempts) given,
       (SELECT id FROM tasks
         WHERE id = ANY (?) AND run_id = ANY (?) AND kind = ANY (?) AND status = ANY (?)
           AND (max_attempts IS NULL OR attempt < max_attempts)
         ORDER BY id
           FOR NO KEY UPDATE SKIP LOCKED) free
 WHERE t.id = free.id
RETURNING t.id, t.run_id, t.role, t.kind, t.description, t.payload, t.priority, t.attempt, t.max_attempts,
          t.fence, t.created_at, t.queued_at";

/// The types of a [`ClaimRow`].
type ClaimTypes = (
    SqlUuid,
    SqlUuid,
    Text,
    Text,
    Text,
    Json,
    SmallInt,
    Integer,
    Nullable<Integer>,
    BigInt,
    Timestamptz,
    Nullable<Timestamptz>,
);

/// Takes leases; see [`super::claim::take`].
pub(crate) async fn take_tasks(conn: &mut Conn, take: Take<'_>) -> Result<Vec<ClaimRow>> {
    let Take { ids, runs, kinds, from, terms, journal } = take;
    Statement::<ClaimTypes>::new(TAKE)
        .bind::<Timestamptz, _>(journal.now)
        .bind::<SqlUuid, _>(Key::from(terms.worker))
        .bind::<Timestamptz, _>(journal.now + terms.lease)
        .bind::<Integer, _>(terms.max_attempts)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<SqlUuid>, _>(runs)
        .bind::<Array<Text>, _>(kinds)
        .bind::<Array<Text>, _>(from)
        .load(conn)
        .await
        .during("claim tasks")
}

/// A row's own change, under a guard.
macro_rules! settle {
    ($guard:literal, $fence:literal) => {
        concat!(
            "
UPDATE tasks t
   SET status = s.status,
       attempt = t.attempt + s.spent_attempts,
       result = s.result,
       error_code = s.error_code,
       error_message = s.error_message,
       run_at = s.run_at,
       worker_id = NULL,
       leased_until = NULL,
       finished_at = CASE WHEN s.status IN ('completed', 'failed') THEN given.now END,
       queued_at = CASE WHEN s.status = 'queued' THEN given.now ELSE t.queued_at END,
       announced_at = CASE WHEN s.status = 'queued' THEN given.now ELSE t.announced_at END,
       requests = t.requests + s.requests,
       tokens_in = t.tokens_in + s.tokens_in,
       tokens_out = t.tokens_out + s.tokens_out,
       model_ms = t.model_ms + s.model_ms
  FROM (SELECT ? AS now, ? AS worker, ? AS status) given,
       unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       AS s (id, fence, status, spent_attempts, result, error_code, error_message, run_at,
             requests, tokens_in, tokens_out, model_ms)
 WHERE t.id = s.id AND ",
            $guard,
            " RETURNING t.id, ",
            $fence
        )
    };
}

/// Guarded by the fence and by who holds the lease.
const SETTLE: &str = settle!(
    "t.fence = s.fence AND t.status = given.status
   AND CASE WHEN given.worker IS NULL THEN t.leased_until < given.now ELSE t.worker_id = given.worker END",
    "t.fence"
);

/// The same with nothing that refuses a worker which no longer holds the task, for tests.
const SETTLE_UNFENCED: &str =
    settle!("(given.worker IS NOT NULL OR t.leased_until < given.now)", "s.fence");

/// Ends attempts; gives back the tasks, with their fences, whose guard held.
pub(crate) async fn settle_tasks(
    conn: &mut Conn,
    rows: &[SettleRow],
    holder: Holder,
    now: DateTime<Utc>,
) -> Result<Vec<(Key, i64)>> {
    let worker = match holder {
        Holder::Worker(worker) => Some(Key::from(worker)),
        Holder::Nobody => None,
    };
    let (codes, messages): (Vec<_>, Vec<_>) =
        rows.iter().map(|row| failure_columns(row.error.as_ref())).unzip();
    let usage = |of: fn(&SettleRow) -> i64| rows.iter().map(of).collect::<Vec<i64>>();
    let unfenced = worker.is_some() && faults::without(faults::Guard::Fence);
    Statement::<(SqlUuid, BigInt)>::new(if unfenced { SETTLE_UNFENCED } else { SETTLE })
        .bind::<Timestamptz, _>(now)
        .bind::<Nullable<SqlUuid>, _>(worker)
        // As a value: with the literal the plan would go by the partial index of running tasks, which is full of dead entries.
        .bind::<Text, _>(TaskStatus::Running.name())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.fence).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.status.name()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rows.iter().map(|row| row.spent_attempts).collect::<Vec<_>>())
        .bind::<Array<Nullable<Json>>, _>(
            rows.iter().map(|row| row.result.as_ref()).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<Text>>, _>(codes)
        .bind::<Array<Nullable<Text>>, _>(messages)
        .bind::<Array<Nullable<Timestamptz>>, _>(
            rows.iter().map(|row| row.run_at).collect::<Vec<_>>(),
        )
        .bind::<Array<BigInt>, _>(usage(|row| row.usage.requests))
        .bind::<Array<BigInt>, _>(usage(|row| row.usage.tokens_in))
        .bind::<Array<BigInt>, _>(usage(|row| row.usage.tokens_out))
        .bind::<Array<BigInt>, _>(usage(|row| row.usage.model_ms))
        .load(conn)
        .await
        .during("settle tasks")
}

const UPDATE_RUNS: &str = "
UPDATE runs r
   SET status = s.status,
       finished_at = CASE WHEN s.status IN ('completed', 'failed', 'cancelled')
                          THEN coalesce(r.finished_at, given.now) END,
       outcome = CASE WHEN s.status IN ('completed', 'failed', 'cancelled')
                      THEN coalesce(s.outcome, r.outcome) END,
       requests = r.requests + s.requests,
       tokens_in = r.tokens_in + s.tokens_in,
       tokens_out = r.tokens_out + s.tokens_out,
       model_ms = r.model_ms + s.model_ms,
       base_commit = coalesce(s.base_commit, r.base_commit),
       branch = coalesce(s.branch, r.branch),
       head_commit = coalesce(s.head_commit, r.head_commit)
  FROM (SELECT ? AS now) given,
       unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       AS s (id, status, outcome, requests, tokens_in, tokens_out, model_ms, base_commit, branch, head_commit)
 WHERE r.id = s.id";

/// Writes the rows of runs as they shall be.
pub(crate) async fn update_runs(
    conn: &mut Conn,
    changes: &[RunChange],
    now: DateTime<Utc>,
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let usage = |of: fn(&RunChange) -> i64| changes.iter().map(of).collect::<Vec<i64>>();
    let text = |of: fn(&RunChange) -> &Option<String>| changes.iter().map(of).collect::<Vec<_>>();
    Statement::<()>::new(UPDATE_RUNS)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(changes.iter().map(|it| Key::from(it.id)).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(changes.iter().map(|it| it.status.name()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Json>>, _>(
            changes.iter().map(|it| it.outcome.as_ref()).collect::<Vec<_>>(),
        )
        .bind::<Array<BigInt>, _>(usage(|it| it.usage.requests))
        .bind::<Array<BigInt>, _>(usage(|it| it.usage.tokens_in))
        .bind::<Array<BigInt>, _>(usage(|it| it.usage.tokens_out))
        .bind::<Array<BigInt>, _>(usage(|it| it.usage.model_ms))
        .bind::<Array<Nullable<Text>>, _>(text(|it| &it.progress.base_commit))
        .bind::<Array<Nullable<Text>>, _>(text(|it| &it.progress.branch))
        .bind::<Array<Nullable<Text>>, _>(text(|it| &it.progress.head_commit))
        .execute(conn)
        .await
        .during("update runs")
        .map(drop)
}
