//! Rows that change each in their own way, in one statement for all: arrays go in, `unnest` makes a table of them.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::{
    dialect::Conn,
    run_status::RunChange,
    settle::{Holder, SettleRow, failure_columns},
};
use crate::{Result, error::During, key::Key};

/// A pattern of ILIKE that finds `text` as it is.
pub(crate) fn pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[derive(diesel::QueryableByName)]
struct SettledRow {
    #[diesel(sql_type = SqlUuid)]
    id: Key,
    #[diesel(sql_type = BigInt)]
    fence: i64,
}

const SETTLE: &str = "
UPDATE tasks t
   SET status = s.status,
       attempt = t.attempt + s.spent_attempts,
       result = s.result::json,
       error_code = s.error_code,
       error_message = s.error_message,
       run_at = s.run_at,
       worker_id = NULL,
       leased_until = NULL,
       finished_at = CASE WHEN s.status IN ('completed', 'failed') THEN $1 END,
       queued_at = CASE WHEN s.status = 'queued' THEN $1 ELSE t.queued_at END,
       announced_at = CASE WHEN s.status = 'queued' THEN $1 ELSE t.announced_at END,
       requests = t.requests + s.requests,
       tokens_in = t.tokens_in + s.tokens_in,
       tokens_out = t.tokens_out + s.tokens_out,
       model_ms = t.model_ms + s.model_ms
  FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       AS s (id, fence, status, spent_attempts, result, error_code, error_message, run_at,
             requests, tokens_in, tokens_out, model_ms)
 WHERE t.id = s.id AND t.fence = s.fence AND t.status = 'running'
   AND CASE WHEN $14::uuid IS NULL THEN t.leased_until < $1 ELSE t.worker_id = $14 END
RETURNING t.id, t.fence";

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
    let settled: Vec<SettledRow> = diesel::sql_query(SETTLE)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.fence).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.status.name()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rows.iter().map(|row| row.spent_attempts).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            rows.iter().map(|row| row.result.as_ref().map(ToString::to_string)).collect::<Vec<_>>(),
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
        .bind::<Nullable<SqlUuid>, _>(worker)
        .load(conn)
        .await
        .during("settle tasks")?;
    Ok(settled.into_iter().map(|row| (row.id, row.fence)).collect())
}

const UPDATE_RUNS: &str = "
UPDATE runs r
   SET status = s.status,
       finished_at = CASE WHEN s.status IN ('completed', 'failed', 'cancelled')
                          THEN coalesce(r.finished_at, $1) END,
       outcome = CASE WHEN s.status IN ('completed', 'failed', 'cancelled')
                      THEN coalesce(s.outcome::json, r.outcome) END,
       requests = r.requests + s.requests,
       tokens_in = r.tokens_in + s.tokens_in,
       tokens_out = r.tokens_out + s.tokens_out,
       model_ms = r.model_ms + s.model_ms,
       base_commit = coalesce(s.base_commit, r.base_commit),
       branch = coalesce(s.branch, r.branch),
       head_commit = coalesce(s.head_commit, r.head_commit)
  FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
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
    diesel::sql_query(UPDATE_RUNS)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(changes.iter().map(|it| Key::from(it.id)).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(changes.iter().map(|it| it.status.name()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            changes
                .iter()
                .map(|it| it.outcome.as_ref().map(ToString::to_string))
                .collect::<Vec<_>>(),
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
