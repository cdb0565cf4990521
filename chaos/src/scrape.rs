//! What a service says of itself.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

/// The sum of all series of a counter; 0 if there is none.
pub(crate) async fn sum(http: &reqwest::Client, url: &str, name: &str) -> Result<i64> {
    let text = http.get(format!("{url}/metrics")).send().await?.error_for_status()?.text().await?;
    let series = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
    });
    let values = series.map(|line| {
        let (_, value) = line.rsplit_once(' ').context("a series has a value")?;
        value.parse::<i64>().with_context(|| format!("a count is whole: {line}"))
    });
    values.sum()
}

/// The id under which a worker's log says that it claims.
pub(crate) fn worker_id(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    text.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["worker.id"].as_str().map(str::to_owned)
    })
}
