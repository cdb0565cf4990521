//! The embedded file: one writer, several readers, one process.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    time::Duration,
};

use deadpool::managed::{Object, Timeouts};
use diesel::{ConnectionError, ConnectionResult, SqliteConnection};
use diesel_async::{
    AsyncConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use futures_util::{FutureExt, future::BoxFuture};

use crate::{DatabaseArgs, Error, Result};

type Manager = AsyncDieselConnectionManager<SyncConnectionWrapper<SqliteConnection>>;
pub(crate) type Pool = deadpool::managed::Pool<Manager>;

/// Readers at once. More gain nothing on a laptop.
const READERS: usize = 4;

/// What a connection is told first. WAL lets readers go on beside the writer; FULL makes a commit survive a power cut.
const SETUP: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;";

/// The pools of one file.
pub(crate) struct Pools {
    /// One connection: writers queue here, where waiting is fair and bounded, and never meet a locked database.
    pub(crate) writer: Pool,
    pub(crate) reader: Pool,
    /// Held while migrations run.
    pub(crate) migrating: tokio::sync::Mutex<()>,
    /// Held as long as the store is open: two processes on one file would not know of each other's queue.
    _lock: File,
}

pub(crate) async fn pools(args: &DatabaseArgs) -> Result<Pools> {
    let dir = args.data_dir()?;
    let cannot = |action: &str, error: &dyn std::fmt::Display| Error::Unavailable {
        reason: format!("could not {action} in {}: {error}", dir.display()),
    };
    std::fs::create_dir_all(&dir).map_err(|error| cannot("make the data folder", &error))?;
    let lock =
        lock(&dir.join("orchestrator.lock")).map_err(|error| cannot("take the lock", &error))?;
    let path = dir.join("orchestrator.sqlite3");
    let url = path.to_str().ok_or_else(|| {
        Error::Settings(format!(
            "ORCH_DATA_DIR is `{}`: use a path that is valid UTF-8",
            dir.display()
        ))
    })?;
    let pools = Pools {
        writer: pool(url, 1, args)?,
        reader: pool(url, READERS, args)?,
        migrating: tokio::sync::Mutex::new(()),
        _lock: lock,
    };
    drop(checkout(&pools.writer).await?);
    Ok(pools)
}

fn lock(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.try_lock().map_err(|_held| {
        std::io::Error::other(
            "another orchestrator process uses this folder; stop it, or set ORCH_DATA_DIR",
        )
    })?;
    Ok(file)
}

fn pool(url: &str, size: usize, args: &DatabaseArgs) -> Result<Pool> {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(|url| establish(url.to_owned()));
    Pool::builder(Manager::new_with_config(url, config))
        .max_size(size)
        .timeouts(Timeouts {
            wait: Some(args.wait().max(Duration::from_secs(5))),
            create: None,
            recycle: None,
        })
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|error| Error::Settings(format!("the connection pool could not be made: {error}")))
}

fn establish(
    url: String,
) -> BoxFuture<'static, ConnectionResult<SyncConnectionWrapper<SqliteConnection>>> {
    async move {
        let mut conn = SyncConnectionWrapper::<SqliteConnection>::establish(&url).await?;
        conn.batch_execute(SETUP).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
    .boxed()
}

/// A connection, within the pool's limit of time.
pub(crate) async fn checkout(pool: &Pool) -> Result<Object<Manager>> {
    pool.get().await.map_err(|error| Error::Unavailable { reason: error.to_string() })
}
