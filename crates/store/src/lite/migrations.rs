//! Migrations of the embedded file. The process has it alone; its own tasks take turns.

use diesel::{SqliteConnection, migration::MigrationSource, sqlite::Sqlite};
use diesel_async::{AsyncMigrationHarness, sync_connection_wrapper::SyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Pools, checkout, connect::Pool};
use crate::{Error, Result};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

type Harness = AsyncMigrationHarness<SyncConnectionWrapper<SqliteConnection>>;

pub(crate) async fn up(pools: &Pools) -> Result<Vec<String>> {
    let _alone = pools.migrating.lock().await;
    let mut harness = harness(&pools.writer).await?;
    let ran = harness.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

pub(crate) async fn down(pools: &Pools) -> Result<Option<String>> {
    let _alone = pools.migrating.lock().await;
    let mut harness = harness(&pools.writer).await?;
    if harness.applied_migrations().map_err(failed)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(harness.revert_last_migration(MIGRATIONS).map_err(failed)?.to_string()))
}

pub(crate) async fn pending(pool: &Pool) -> Result<Vec<String>> {
    let applied = harness(pool).await?.applied_migrations().map_err(failed)?;
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(failed)?;
    let missing = known.iter().filter(|it| !applied.contains(&it.name().version()));
    Ok(missing.map(|it| it.name().to_string()).collect())
}

/// A connection of its own, not given back to the pool.
async fn harness(pool: &Pool) -> Result<Harness> {
    Ok(AsyncMigrationHarness::new(deadpool::managed::Object::take(checkout(pool).await?)))
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Schema(format!("a migration failed: {error}"))
}
