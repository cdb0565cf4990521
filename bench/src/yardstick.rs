//! How fast this machine is at the moment: transactions of one row that pgbench commits each second.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use testbed::Postgres;
use tokio::process::Command;
use tokio_postgres::Client;

/// Seconds of each look.
const SECONDS: u32 = 3;
const CLIENTS: u32 = 8;
const SCRIPT: &str = "INSERT INTO yardstick.yard (v) VALUES (repeat('x', 300));\n";

/// The tool, and every look so far.
pub(crate) struct Yardstick {
    program: PathBuf,
    url: String,
    dir: TempDir,
    /// What followed each, and transactions per second.
    pub(crate) looks: Vec<(String, f64)>,
}

impl Yardstick {
    /// Makes its table, in a schema of its own.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn new(postgres: &Postgres, database: &Client) -> anyhow::Result<Self> {
        database
            .batch_execute(
                "CREATE SCHEMA yardstick; CREATE TABLE yardstick.yard (id bigserial PRIMARY KEY, v text)",
            )
            .await?;
        let dir = tempfile::tempdir()?;
        fs::write(script(dir.path()), SCRIPT)?;
        Ok(Self { program: pgbench(), url: postgres.url(), dir, looks: Vec::new() })
    }

    /// Looks for three seconds; gives transactions per second.
    ///
    /// # Errors
    /// If pgbench fails.
    pub(crate) async fn look(&mut self, database: &Client, before: &str) -> anyhow::Result<f64> {
        database.batch_execute("TRUNCATE yardstick.yard").await?;
        let output = Command::new(&self.program)
            .args(["-n", "-M", "prepared", "-j", "2", "-c", &CLIENTS.to_string()])
            .args(["-T", &SECONDS.to_string()])
            .arg("-f")
            .arg(script(self.dir.path()))
            .arg(&self.url)
            .output()
            .await
            .context("start pgbench")?;
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|it| it.strip_prefix("tps = "));
        let tps: f64 = line
            .and_then(|it| it.split(' ').next()?.parse().ok())
            .with_context(|| format!("pgbench says no rate: {text}"))?;
        self.looks.push((before.to_owned(), tps));
        Ok(tps)
    }
}

/// The newest that is installed; the one of the path, where Debian's folders are not there.
fn pgbench() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        versions.map(|it| it.path().join("bin/pgbench")).filter(|it| it.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| "pgbench".into())
}

fn script(dir: &Path) -> PathBuf {
    dir.join("insert.sql")
}
