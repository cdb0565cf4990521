//! Which database, and how it is used.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use secrecy::SecretString;

use crate::{Error, Result};

/// Settings of the store.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgs {
    /// Where tasks are kept: `sqlite`, the embedded default, or `postgres`.
    #[arg(long, env = "ORCH_TASK_STORE", default_value = "sqlite")]
    pub task_store: String,

    /// URL of the Postgres database; needed where the store is `postgres`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,

    /// Folder of the embedded store's file [default: ~/.local/share/orchestrator].
    #[arg(long, env = "ORCH_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// Connections to Postgres, at most.
    #[arg(long, env = "ORCH_DATABASE_POOL_SIZE", default_value_t = 8)]
    pub database_pool_size: u16,

    /// Milliseconds to wait for a connection before a request is refused.
    #[arg(long, env = "ORCH_DATABASE_WAIT_MS", default_value_t = 1_000)]
    pub database_wait_ms: u64,

    /// Milliseconds that one statement may take.
    #[arg(long, env = "ORCH_DATABASE_STATEMENT_TIMEOUT_MS", default_value_t = 10_000)]
    pub database_statement_timeout_ms: u64,
}

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    Sqlite,
    Postgres,
}

impl DatabaseArgs {
    /// Which kind of store is asked for.
    ///
    /// # Errors
    /// [`Error::Settings`] with the kinds that there are.
    pub fn kind(&self) -> Result<StoreKind> {
        match self.task_store.as_str() {
            "sqlite" | "" => Ok(StoreKind::Sqlite),
            "postgres" => Ok(StoreKind::Postgres),
            other => Err(Error::Settings(format!(
                "ORCH_TASK_STORE is `{other}`: this system has `sqlite` (the embedded default) and `postgres`"
            ))),
        }
    }

    /// The folder of the embedded store.
    ///
    /// # Errors
    /// [`Error::Settings`] where neither it nor a home is set.
    pub fn data_dir(&self) -> Result<PathBuf> {
        if let Some(dir) = self.data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
            return Ok(dir.clone());
        }
        std::env::home_dir().map(|home| home.join(".local/share/orchestrator")).ok_or_else(|| {
            Error::Settings(
                "ORCH_DATA_DIR is not set, and neither is HOME: set one of them".to_owned(),
            )
        })
    }

    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.database_wait_ms.max(1))
    }
}
