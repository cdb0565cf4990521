//! A database of one's own in the Postgres of `DATABASE_URL`.

use tokio_postgres::NoTls;
use url::Url;
use uuid::Uuid;

/// Where tests find a Postgres, if `DATABASE_URL` does not say.
const DEFAULT_URL: &str = "postgres://postgres@127.0.0.1:5432/test";

/// An empty database. It goes when this is dropped.
pub(super) struct Database {
    server: Url,
    own: Url,
    name: String,
}

impl Database {
    pub(super) async fn create() -> Self {
        #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
        let given = std::env::var("DATABASE_URL");
        let server = given.unwrap_or_else(|_unset| DEFAULT_URL.to_owned());
        let server: Url = server.parse().expect("DATABASE_URL is a URL");
        let name = format!("e2e_{}", Uuid::now_v7().simple());
        let mut own = server.clone();
        own.set_path(&name);
        run(&server, &format!("CREATE DATABASE {name}")).await;
        Self { server, own, name }
    }

    pub(super) fn url(&self) -> &str {
        self.own.as_str()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, sql) =
            (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        super::broker::in_a_thread(async move { run(&server, &sql).await });
    }
}

async fn run(server: &Url, sql: &str) {
    let connected = tokio_postgres::connect(server.as_str(), NoTls).await;
    let (client, connection) = connected.expect("Postgres answers at DATABASE_URL");
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the SQL of the test runs");
    drop(client);
    drop(driver.await);
}
