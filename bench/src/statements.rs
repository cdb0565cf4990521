//! What the database spent its time on, statement by statement (`pg_stat_statements`).

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::figures::rounded;

/// Statements that are told of; the others together are less than these.
const SHOWN: i64 = 40;

/// Forgets what was counted.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn reset(database: &Client) -> anyhow::Result<()> {
    database.batch_execute("SELECT pg_stat_statements_reset()").await?;
    Ok(())
}

/// The statements since the last reset, the dearest first, and what they took for each of `count` things. Times are those of a clock, not of a CPU: what a statement waited for
/// locks, the disk or its turn counts too. Inserts that differ in their number of rows are one statement in many forms.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn read(database: &Client, count: usize) -> anyhow::Result<Value> {
    let rows = database
        .query(
            "SELECT sum(calls)::bigint, sum(rows)::bigint, sum(total_exec_time), sum(total_plan_time),
                    sum(wal_bytes)::float8, sum(shared_blks_hit + shared_blks_read)::bigint,
                    regexp_replace(query, 'VALUES \\(.*\\)', 'VALUES (…)') AS statement, count(*)
               FROM pg_stat_statements
              GROUP BY statement
              ORDER BY sum(total_exec_time + total_plan_time) DESC LIMIT $1",
            &[&SHOWN],
        )
        .await?;
    #[expect(clippy::cast_precision_loss, reason = "a count of tasks is far below 2^52")]
    let each = |value: f64| rounded(value / count.max(1) as f64, 4);
    let statements = rows.iter().map(|row| {
        let (calls, affected, blocks): (i64, i64, i64) = (row.get(0), row.get(1), row.get(5));
        let (exec, plan, wal): (f64, f64, f64) = (row.get(2), row.get(3), row.get(4));
        json!({
            "calls": calls,
            "rows": affected,
            "total_ms": rounded(exec + plan, 1),
            "plan_ms": rounded(plan, 1),
            "ms_each": each(exec + plan),
            "wal_bytes_each": each(wal),
            "blocks_per_call": blocks / calls.max(1),
            "forms": row.get::<_, i64>(7),
            "statement": one_line(row.get(6)),
        })
    });
    Ok(statements.collect())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The table of what [`read`] gave.
pub(crate) fn table(statements: &Value) -> String {
    let mut text = format!(
        "{:>9} {:>9} {:>10} {:>9} {:>8} {:>8} {:>6}  statement\n",
        "calls", "rows", "total ms", "ms/each", "plan ms", "blocks", "forms"
    );
    for it in statements.as_array().into_iter().flatten() {
        let of = |name: &str| it[name].to_string();
        let statement: String =
            it["statement"].as_str().unwrap_or_default().chars().take(150).collect();
        text.push_str(&format!(
            "{:>9} {:>9} {:>10} {:>9} {:>8} {:>8} {:>6}  {statement}\n",
            of("calls"),
            of("rows"),
            of("total_ms"),
            of("ms_each"),
            of("plan_ms"),
            of("blocks_per_call"),
            of("forms"),
        ));
    }
    text
}
