//! A store with a long past: finished runs, each with its task and its history.

use anyhow::{Context, ensure};
use tokio_postgres::Client;

/// Rows of runs that one statement makes.
const STEP: usize = 100_000;

/// Multiplies the newest completed run, which a service made a moment ago, so that every row looks as services write it.
/// Ids and times go back evenly, over fifteen days for a million: within what retention keeps. The oldest come first, as they did.
///
/// # Errors
/// If there is no such run, or the database does not answer.
pub(crate) async fn load(
    database: &Client,
    count: usize,
    progress: impl Fn(usize),
) -> anyhow::Result<()> {
    database.batch_execute(IDS).await?;
    let template = database
        .query_opt(
            "SELECT id::text FROM runs WHERE status = 'completed' ORDER BY created_at DESC LIMIT 1",
            &[],
        )
        .await?
        .context("no run is completed")?;
    let template: String = template.get(0);
    let mut statements = Vec::new();
    for (table, of_run) in [("runs", "id"), ("tasks", "run_id"), ("events", "run_id")] {
        statements.push(statement(database, table, of_run, &template).await?);
    }
    // The rows fit together by how they are made; looking each one up would take most of the time.
    database.batch_execute("SET session_replication_role = replica").await?;
    let mut left = count;
    while left > 0 {
        let rest = left.saturating_sub(STEP);
        for statement in &statements {
            let statement = statement
                .replace("$oldest", &left.to_string())
                .replace("$newest", &(rest + 1).to_string());
            database.batch_execute(&statement).await?;
        }
        left = rest;
        progress(count - left);
    }
    database.batch_execute("RESET session_replication_role").await?;
    let runs: i64 = database
        .query_one("SELECT count(*) FROM runs WHERE status = 'completed'", &[])
        .await?
        .get(0);
    ensure!(runs >= i64::try_from(count)?, "{runs} finished runs are there; {count} should be");
    Ok(())
}

/// Ids of version 7 from a number: a time that goes back 1.3 seconds for each, then bits that look random.
const IDS: &str = "
CREATE SCHEMA IF NOT EXISTS finished;
CREATE OR REPLACE FUNCTION finished.ago(n bigint) RETURNS interval LANGUAGE sql IMMUTABLE AS
  $$ SELECT make_interval(secs => 60 + n * 1.296) $$;
CREATE OR REPLACE FUNCTION finished.id(kind text, n bigint) RETURNS uuid LANGUAGE sql STABLE AS
  $$ SELECT (lpad(to_hex((extract(epoch FROM transaction_timestamp()::date) * 1000)::bigint - n * 2592), 12, '0')
             || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid FROM md5(kind || n) AS h $$;
";

/// Copies the rows of the template in one table, whatever columns it has.
async fn statement(
    database: &Client,
    table: &str,
    of_run: &str,
    template: &str,
) -> anyhow::Result<String> {
    let columns = database
        .query(
            "SELECT column_name::text, data_type::text FROM information_schema.columns
              WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' ORDER BY ordinal_position",
            &[&table],
        )
        .await?;
    let value = |row: &tokio_postgres::Row| {
        let (name, kind): (String, String) = (row.get(0), row.get(1));
        match (name.as_str(), kind.as_str()) {
            (_, "timestamp with time zone") => format!("t.{name} - made.ago"),
            ("id", "uuid") if table == "runs" => "finished.id('run', n)".to_owned(),
            ("id", "uuid") => "finished.id('task', n)".to_owned(),
            ("run_id", _) => "finished.id('run', n)".to_owned(),
            ("task_id", _) => {
                "CASE WHEN t.task_id IS NOT NULL THEN finished.id('task', n) END".to_owned()
            }
            _ => format!("t.{name}"),
        }
    };
    let names: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
    let values: Vec<String> = columns.iter().map(value).collect();
    let order = if table == "events" { ", t.id" } else { "" };
    // Once for each run and not for each row of it: hence MATERIALIZED.
    Ok(format!(
        "WITH made AS MATERIALIZED (
           SELECT n, finished.id('run', n) AS run, finished.id('task', n) AS task, finished.ago(n) AS ago
             FROM generate_series($oldest::bigint, $newest::bigint, -1) AS n)
         INSERT INTO {table} ({}) SELECT {} FROM made, {table} AS t
          WHERE t.{of_run} = '{template}' ORDER BY n DESC{order}",
        names.join(", "),
        values.join(", "),
    ))
}
