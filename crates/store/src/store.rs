//! The store itself: a pool of connections to one of the two databases.

use std::{future::Future, sync::Arc};

use tokio::runtime::Handle;

use crate::{DatabaseArgs, Error, Result, StoreKind, lite, pg};

/// The system's memory. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    /// The runtime that it was opened on. Connections are driven there, and transactions run there, even if the caller's
    /// own runtime (an HTTP worker's) is busy or goes away.
    runtime: Handle,
}

#[derive(Clone)]
pub(crate) enum Backend {
    Postgres(pg::Pool),
    Sqlite(Arc<lite::Pools>),
}

/// How the pool is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Connections, at most.
    pub limit: usize,
    pub in_use: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

impl Store {
    /// Opens the store. A Postgres that does not answer yet is no error: every operation says so until it does.
    ///
    /// # Errors
    /// [`Error::Settings`] for a wrong setting; [`Error::Unavailable`] where the embedded file cannot be opened, or
    /// another process has it open.
    pub async fn connect(args: &DatabaseArgs) -> Result<Self> {
        let backend = match args.kind()? {
            StoreKind::Postgres => Backend::Postgres(pg::pool(args)?),
            StoreKind::Sqlite => Backend::Sqlite(Arc::new(lite::pools(args).await?)),
        };
        Ok(Self { backend, runtime: Handle::current() })
    }

    /// Brings the schema up to this version; waits for another process that does the same. Gives back the names of the
    /// migrations that it ran.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        match &self.backend {
            Backend::Postgres(pool) => pg::migrations::up(pool).await,
            Backend::Sqlite(pools) => lite::migrations::up(pools).await,
        }
    }

    /// Takes back the newest migration; gives back its name, or none where there is none.
    pub async fn revert_migration(&self) -> Result<Option<String>> {
        match &self.backend {
            Backend::Postgres(pool) => pg::migrations::down(pool).await,
            Backend::Sqlite(pools) => lite::migrations::down(pools).await,
        }
    }

    /// Whether the schema has every migration of this version.
    ///
    /// # Errors
    /// [`Error::Schema`] with what is missing and how to mend it.
    pub async fn schema_is_current(&self) -> Result<()> {
        let pending = match &self.backend {
            Backend::Postgres(pool) => pg::migrations::pending(pool).await?,
            Backend::Sqlite(pools) => lite::migrations::pending(&pools.writer).await?,
        };
        if pending.is_empty() {
            return Ok(());
        }
        let names = pending.join(", ");
        Err(Error::Schema(format!("migrations have not run: {names}; run `orch migrate`")))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.database_time().await.map(drop)
    }

    pub fn kind(&self) -> StoreKind {
        match &self.backend {
            Backend::Postgres(_) => StoreKind::Postgres,
            Backend::Sqlite(_) => StoreKind::Sqlite,
        }
    }

    pub fn pool_state(&self) -> PoolState {
        let status = match &self.backend {
            Backend::Postgres(pool) => pool.status(),
            Backend::Sqlite(pools) => pools.reader.status(),
        };
        PoolState {
            limit: status.max_size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Runs `work` in a task of its own, so that it ends whole even if the caller goes away.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        match self.runtime.spawn(work).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "a store operation was cut off");
                Err(Error::Interrupted)
            }
        }
    }
}

crate::operations::operations! {
    /// What the database's clock says.
    read database_time() -> chrono::DateTime<chrono::Utc> = clock::read;
}
