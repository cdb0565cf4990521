//! Connections to Postgres, with every limit set.

use std::time::Duration;

use deadpool::managed::{Object, Timeouts};
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod},
};
use futures_util::{FutureExt, future::BoxFuture};
use secrecy::ExposeSecret;
use tokio_postgres::{Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{DatabaseArgs, Error, Result};

type Manager = AsyncDieselConnectionManager<AsyncPgConnection>;
pub(crate) type Pool = deadpool::managed::Pool<Manager>;

/// Makes the pool; connects only when the first connection is asked for.
pub(crate) fn pool(args: &DatabaseArgs) -> Result<Pool> {
    let url = args.database_url.as_ref().map(|url| url.expose_secret().trim()).unwrap_or_default();
    if url.is_empty() {
        return Err(Error::Settings(
            "DATABASE_URL is not set: the `postgres` store needs it, such as postgres://user@host:5432/orchestrator"
                .to_owned(),
        ));
    }
    let config = limited(url, args)?;
    let mut manager = ManagerConfig::default();
    // The first statement on a dead connection fails and discards it; asking each time would cost a round trip.
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |_url| establish(config.clone()));
    let wait = Some(args.wait());
    Pool::builder(Manager::new_with_config(String::new(), manager))
        .max_size(usize::from(args.database_pool_size.max(1)))
        .timeouts(Timeouts { wait, create: wait, recycle: wait })
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|error| Error::Settings(format!("the connection pool could not be made: {error}")))
}

/// Every statement here has an index, and its plan is kept for the life of a connection. It is made without a look at the
/// values (a list of ids would else be looked up among all that is queued), and one that was made while a table was small, or had
/// no statistics yet, must not read all of it once it is large. (Where nothing but a scan would do, these settings do not forbid
/// it; without `jit` off it would be compiled for its seeming cost.)
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off \
                     -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

fn limited(url: &str, args: &DatabaseArgs) -> Result<Config> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Error::Settings(format!("DATABASE_URL is not the URL of a Postgres database: {cause}"))
    })?;
    let timeout = args.database_statement_timeout_ms;
    let limits = format!(
        "-c statement_timeout={timeout} -c lock_timeout={timeout} -c idle_in_transaction_session_timeout={timeout} {PLANS}"
    );
    let options = match config.get_options() {
        Some(given) => format!("{limits} {given}"),
        None => limits,
    };
    config
        .options(options)
        .connect_timeout(args.wait())
        .keepalives_idle(Duration::from_secs(15))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(30));
    if config.get_application_name().is_none() {
        config.application_name("orchestrator");
    }
    Ok(config)
}

fn establish(config: Config) -> BoxFuture<'static, ConnectionResult<AsyncPgConnection>> {
    async move {
        let bad = |error: tokio_postgres::Error| {
            let cause =
                std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            ConnectionError::BadConnection(format!("{error}: {cause}"))
        };
        if config.get_ssl_mode() == SslMode::Disable || is_local(&config) {
            let (client, connection) = config.connect(NoTls).await.map_err(bad)?;
            return AsyncPgConnection::try_from_client_and_connection(client, connection).await;
        }
        let (tls, _unusable) = MakeRustlsConnect::with_native_certs().map_err(|errors| {
            ConnectionError::BadConnection(format!("no root certificates were found: {errors:?}"))
        })?;
        let (client, connection) = config.connect(tls).await.map_err(bad)?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    }
    .boxed()
}

/// Loopback and Unix sockets need no TLS.
fn is_local(config: &Config) -> bool {
    use tokio_postgres::config::Host;
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        Host::Unix(_) => true,
    }) && config.get_ssl_mode() != SslMode::Require
}

/// A connection, within the pool's limit of time.
pub(crate) async fn checkout(pool: &Pool) -> Result<Object<Manager>> {
    pool.get().await.map_err(|error| Error::Unavailable { reason: error.to_string() })
}
