//! Runs the checks of `checker.sql`, and shows what offends with the history of one such task.

use anyhow::Result;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::database::Database;

const CHECKS: &str = include_str!("../checker.sql");
/// Offending rows that are shown of each check.
const SHOWN: usize = 5;

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The check's name.
    pub(crate) check: String,
    /// What it wants, how many offend, and some of them.
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn new(check: &str, text: impl Into<String>) -> Self {
        Self { check: check.to_owned(), text: text.into() }
    }
}

/// One check: its name, what it wants, and the query for what offends.
struct Check<'t> {
    name: &'t str,
    wants: &'t str,
    sql: &'t str,
}

fn checks(text: &str) -> impl Iterator<Item = Check<'_>> {
    text.split("-- check: ").skip(1).filter_map(|part| {
        let (head, sql) = part.split_once('\n')?;
        let (name, wants) = head.split_once(": ")?;
        Some(Check { name, wants, sql })
    })
}

/// Runs every check.
pub(crate) async fn check(database: &Database) -> Result<Vec<Problem>> {
    let client = database.connect().await?;
    let mut problems = Vec::new();
    for check in checks(CHECKS) {
        if let Some(text) = offending(&client, check.wants, check.sql).await? {
            problems.push(Problem::new(check.name, text));
        }
    }
    Ok(problems)
}

/// How many rows a query has that should have none, with some of them and a history; none if there are none.
pub(crate) async fn offending(client: &Client, wants: &str, sql: &str) -> Result<Option<String>> {
    let rows = rows(client, sql).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut text = format!("{wants}: {} do not hold to it", rows.len());
    for row in rows.iter().take(SHOWN) {
        text.push_str(&format!("\n    {}", line(row)));
    }
    let subject = first.iter().find(|(name, _)| name == "task_id" || name == "run_id");
    if let Some((name, id)) = subject {
        text.push_str(&format!("\n  history of {name} {id}:"));
        let history = format!(
            "SELECT id, to_char(at, 'HH24:MI:SS.MS') AS at, kind, attempt, data FROM events
             WHERE {name} = '{id}' ORDER BY id LIMIT 60"
        );
        for row in self::rows(client, &history).await? {
            text.push_str(&format!("\n    {}", line(&row)));
        }
    }
    Ok(Some(text))
}

/// Rows as text: each column's name and value.
async fn rows(client: &Client, sql: &str) -> Result<Vec<Vec<(String, String)>>> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.into_iter().filter_map(|message| {
        if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None }
    });
    Ok(rows
        .map(|row| {
            let names = row.columns().iter().map(|it| it.name().to_owned());
            let values = (0..row.len()).map(|at| row.get(at).unwrap_or("–").to_owned());
            names.zip(values).collect()
        })
        .collect())
}

fn line(row: &[(String, String)]) -> String {
    let cells: Vec<_> = row.iter().map(|(name, value)| format!("{name}={value}")).collect();
    cells.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_name_a_sentence_and_a_query() {
        let all: Vec<_> = checks(CHECKS).collect();
        assert!(all.len() >= 15, "{} checks", all.len());
        assert_eq!(all.len(), CHECKS.matches("\n-- check: ").count());
        for check in all {
            assert!(check.sql.trim_end().ends_with(';'), "{}", check.name);
            assert!(check.sql.contains("SELECT") && check.wants.contains(' '), "{}", check.name);
        }
    }
}
