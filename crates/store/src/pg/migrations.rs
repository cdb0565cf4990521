//! Migrations of Postgres, run by one process at a time.

use diesel::{migration::MigrationSource, sql_types};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Pool, checkout};
use crate::{Error, Result, error::During};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The lock that a migrating process holds; the number says nothing but "ours".
const LOCK: i64 = 0x6f72_6368_6d69_6772;

pub(crate) async fn up(pool: &Pool) -> Result<Vec<String>> {
    let mut harness = AsyncMigrationHarness::new(locked_connection(pool).await?);
    let ran = harness.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    let names = ran.iter().map(ToString::to_string).collect();
    unlock(harness).await?;
    Ok(names)
}

pub(crate) async fn down(pool: &Pool) -> Result<Option<String>> {
    let mut harness = AsyncMigrationHarness::new(locked_connection(pool).await?);
    let none_left = harness.applied_migrations().map_err(failed)?.is_empty();
    let name = if none_left {
        None
    } else {
        Some(harness.revert_last_migration(MIGRATIONS).map_err(failed)?.to_string())
    };
    unlock(harness).await?;
    Ok(name)
}

pub(crate) async fn pending(pool: &Pool) -> Result<Vec<String>> {
    #[derive(diesel::QueryableByName)]
    struct Version {
        #[diesel(sql_type = sql_types::Text)]
        version: String,
    }
    let mut conn = checkout(pool).await?;
    let applied = match diesel::sql_query("SELECT version FROM __diesel_schema_migrations")
        .load::<Version>(&mut conn)
        .await
    {
        Ok(versions) => versions.into_iter().map(|it| it.version).collect(),
        Err(error) if error.to_string().contains("does not exist") => Vec::new(),
        Err(error) => return Err(error).during("read the versions of the schema"),
    };
    // After the last wait, since migrations cannot be sent between threads.
    let known: Vec<_> =
        MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    let missing = known.iter().filter(|it| !applied.contains(&it.name().version().to_string()));
    Ok(missing.map(|it| it.name().to_string()).collect())
}

/// A connection of its own: the limits on statements are lifted for it, and it is not given back to the pool.
async fn locked_connection(pool: &Pool) -> Result<AsyncPgConnection> {
    let mut conn = deadpool::managed::Object::take(checkout(pool).await?);
    conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")
        .await
        .during("lift limits")?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<sql_types::BigInt, _>(LOCK)
        .execute(&mut conn)
        .await
        .during("wait for the migration lock")?;
    Ok(conn)
}

async fn unlock(harness: AsyncMigrationHarness<AsyncPgConnection>) -> Result<()> {
    diesel::sql_query("SELECT pg_advisory_unlock($1)")
        .bind::<sql_types::BigInt, _>(LOCK)
        .execute(&mut harness.into_inner())
        .await
        .during("give back the migration lock")
        .map(drop)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Schema(format!("a migration failed: {error}"))
}
