//! Stores on which cases are played.

use std::time::Duration;

use domain::run::RunStatus;
use secrecy::{ExposeSecret, SecretString};
use store::{
    DatabaseArgs, PageRequest, Store, StoreKind, runs::RunFilter, tasks::DeadLetterChoice,
};
use tempfile::TempDir;
use testkit::TestStore;

/// A store that many cases share, one after the other. Nothing of it must outlive a crash, so it does not wait for a disk.
pub(crate) struct Arena {
    pub(crate) store: Store,
    _schema: TestStore,
    _dir: TempDir,
}

impl Arena {
    pub(crate) async fn open(kind: StoreKind, connections: u16) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        let (schema, args) = match kind {
            StoreKind::Postgres => {
                let schema = TestStore::postgres().await;
                let hasty =
                    format!("{}%20-c%20synchronous_commit=off", schema.url().expose_secret());
                let database_url = Some(SecretString::from(hasty));
                let database_pool_size = connections;
                let args = DatabaseArgs { database_url, database_pool_size, ..schema.args.clone() };
                (schema, args)
            }
            StoreKind::Sqlite => {
                let schema = TestStore::sqlite().await;
                let data_dir = Some(dir.path().to_owned());
                let args = DatabaseArgs { data_dir, ..schema.args.clone() };
                (schema, args)
            }
        };
        // Shared with other tests, the machine may be slow.
        let args = DatabaseArgs { database_wait_ms: 60_000, ..args };
        let store = Store::connect(&args).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, _schema: schema, _dir: dir }
    }

    /// Ends what a case that failed has left behind; says whether nothing is left.
    pub(crate) async fn clear(&self) -> bool {
        let cleared = async {
            for status in RunStatus::LIVE {
                let filter = RunFilter { status: Some(*status), ..RunFilter::default() };
                let page = PageRequest { after: None, limit: 1_000 };
                for run in self.store.list_runs(filter, page).await?.items {
                    self.store.cancel_run(run.id).await?;
                }
            }
            let all = DeadLetterChoice::Oldest { role: None, limit: 1_000 };
            self.store.purge_dead_letters(all).await?;
            let rows = self.store.left_behind(Duration::ZERO, 10_000).await?;
            self.store.forget_published(rows.into_iter().map(|row| row.id).collect()).await?;
            self.store.gauges().await
        };
        cleared.await.is_ok_and(|left| {
            left.tasks.is_empty()
                && left.runs.is_empty()
                && left.outbox_rows + left.dead_letters == 0
        })
    }
}
