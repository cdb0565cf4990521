//! A migrated store for one test: a schema of its own in Postgres, or a file of its own.

use secrecy::{ExposeSecret, SecretString};
use store::{DatabaseArgs, Store};
use tempfile::TempDir;
use uuid::Uuid;

/// Where tests find a Postgres, if `DATABASE_URL` does not say.
const DEFAULT_URL: &str = "postgres://postgres@127.0.0.1:5432/test";

/// A store of one test. It goes when this is dropped.
pub struct TestStore {
    pub store: Store,
    /// The settings that it was opened with: another process or store may open the same.
    pub args: DatabaseArgs,
    schema: Option<Schema>,
    _dir: TempDir,
}

/// A transaction that is open. Dropping it rolls it back.
pub struct Held {
    _client: tokio_postgres::Client,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The server rolls back what its client leaves.
        self.driver.abort();
    }
}

struct Schema {
    name: String,
    url: String,
}

impl TestStore {
    /// A schema of its own in the Postgres of `DATABASE_URL`.
    pub async fn postgres() -> Self {
        let url = base_url();
        let name = format!("test_{}", Uuid::now_v7().simple());
        run_sql(&url, &format!("CREATE SCHEMA {name}")).await;
        let separator = if url.contains('?') { '&' } else { '?' };
        let args = DatabaseArgs {
            task_store: "postgres".to_owned(),
            database_url: Some(SecretString::from(format!(
                "{url}{separator}options=-c%20search_path%3D{name}"
            ))),
            ..defaults()
        };
        Self::open(args, Some(Schema { name, url })).await
    }

    /// A file of its own.
    pub async fn sqlite() -> Self {
        Self::open(defaults(), None).await
    }

    async fn open(mut args: DatabaseArgs, schema: Option<Schema>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        args.data_dir = Some(dir.path().to_owned());
        let store = Store::connect(&args).await.expect("the test store opens");
        store.migrate().await.expect("the migrations run");
        Self { store, args, schema, _dir: dir }
    }

    /// Runs SQL on the store's schema, to move time or to break things. Postgres only.
    pub async fn sql(&self, sql: &str) {
        let schema = self.schema.as_ref().expect("only Postgres takes raw SQL in tests");
        run_sql(&schema.url, &format!("SET search_path = {}; {sql}", schema.name)).await;
    }

    /// The number that a query gives. Postgres only.
    pub async fn number(&self, sql: &str) -> i64 {
        let client = self.client().await.0;
        client.query_one(sql, &[]).await.expect("the SQL of the test runs").get(0)
    }

    /// Runs SQL in a transaction that stays open, and keeps its locks, until it is dropped. Postgres only.
    pub async fn hold(&self, sql: &str) -> Held {
        let (client, driver) = self.client().await;
        client.batch_execute(&format!("BEGIN; {sql}")).await.expect("the SQL of the test runs");
        Held { _client: client, driver }
    }

    async fn client(&self) -> (tokio_postgres::Client, tokio::task::JoinHandle<()>) {
        let (client, connection) =
            tokio_postgres::connect(self.url().expose_secret(), tokio_postgres::NoTls)
                .await
                .expect("Postgres answers at DATABASE_URL");
        (client, tokio::spawn(async move { drop(connection.await) }))
    }

    /// The URL of the store's schema. Postgres only.
    pub fn url(&self) -> &SecretString {
        self.args.database_url.as_ref().expect("only Postgres has a URL")
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        let Some(schema) = self.schema.take() else { return };
        // A thread with a runtime of its own: the test's runtime is about to end.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.name);
            runtime.map(|runtime| runtime.block_on(run_sql(&schema.url, &sql)))
        });
        drop(cleaning.join());
    }
}

fn base_url() -> String {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
    let given = std::env::var("DATABASE_URL");
    given.unwrap_or_else(|_unset| DEFAULT_URL.to_owned())
}

fn defaults() -> DatabaseArgs {
    DatabaseArgs {
        task_store: "sqlite".to_owned(),
        database_url: None,
        data_dir: None,
        database_pool_size: 4,
        database_wait_ms: 5_000,
        database_statement_timeout_ms: 20_000,
    }
}

async fn run_sql(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("Postgres answers at DATABASE_URL");
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the SQL of the test runs");
    drop(client);
    drop(driver.await);
}
