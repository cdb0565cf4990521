//! What the harness asks the database, by a connection of its own that goes past every proxy.

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls, Row, types::ToSql};

/// One scenario's database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    url: String,
}

impl Database {
    /// Makes an empty one on the server of `url`, whose path it replaces.
    pub(crate) async fn create(url: &str, name: &str) -> Result<Self> {
        let server = Self { url: url.to_owned() };
        server.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        server.run(&format!("CREATE DATABASE {name}")).await?;
        let (before, _) = url.rsplit_once('/').context("a URL has a path")?;
        Ok(Self { url: format!("{before}/{name}") })
    }

    pub(crate) async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        self.connect().await?.batch_execute(sql).await.with_context(|| first_line(sql))
    }

    pub(crate) async fn rows(&self, sql: &str, with: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.connect().await?.query(sql, with).await.with_context(|| first_line(sql))
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> Result<i64> {
        let client = self.connect().await?;
        let row = client.query_one(sql, &[]).await.with_context(|| first_line(sql))?;
        Ok(row.try_get(0)?)
    }
}

fn first_line(sql: &str) -> String {
    sql.lines().next().unwrap_or_default().to_owned()
}
