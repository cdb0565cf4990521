//! The store: whether it answers, and whether its schema is that of this version.

use std::{fs, path::Path, time::Duration};

use store::{DatabaseArgs, Error, Store, StoreKind};
use tokio::time::timeout;

use super::Finding;
use crate::dev::place;

const NAME: &str = "store";

/// `served`: whether a server of ours answers at the port, which then has the embedded store to itself.
pub(super) async fn check(args: &DatabaseArgs, served: bool, patience: Duration) -> Finding {
    let Ok(kind) = args.kind() else {
        return Finding::broken(NAME, "ORCH_TASK_STORE names no store", "Use sqlite or postgres.");
    };
    let place = place(args);
    let advice = match kind {
        StoreKind::Sqlite => {
            if !Path::new(&place).exists() {
                return not_there_yet(args, &place);
            }
            "Stop the other process, or set ORCH_DATA_DIR to a folder that can be written."
        }
        StoreKind::Postgres => "Start PostgreSQL, and check DATABASE_URL.",
    };
    match timeout(patience, ask(args)).await {
        Ok(Ok(())) => Finding::ok(NAME, format!("{place} answers; its schema is current")),
        Ok(Err(Error::Schema(reason))) if kind == StoreKind::Sqlite => Finding::warning(
            NAME,
            format!("{place}: {reason}"),
            "`orch dev` does that by itself when it starts.",
        ),
        Ok(Err(Error::Schema(reason))) => {
            Finding::broken(NAME, format!("{place}: {reason}"), "Run `orch migrate`.")
        }
        Ok(Err(_locked)) if kind == StoreKind::Sqlite && served => {
            Finding::ok(NAME, format!("{place} is in use by the server that runs"))
        }
        Ok(Err(error)) => {
            Finding::broken(NAME, format!("{place}: {:#}", anyhow::Error::new(error)), advice)
        }
        Err(_elapsed) => Finding::broken(
            NAME,
            format!("{place} does not answer within {} ms", patience.as_millis()),
            advice,
        ),
    }
}

async fn ask(args: &DatabaseArgs) -> store::Result<()> {
    let store = Store::connect(args).await?;
    store.ping().await?;
    store.schema_is_current().await
}

/// The file is made at the first start, where its folder can be.
fn not_there_yet(args: &DatabaseArgs, place: &str) -> Finding {
    let Ok(dir) = args.data_dir() else {
        return Finding::broken(NAME, place, "Set ORCH_DATA_DIR to a folder that can be written.");
    };
    let existing = dir.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/"));
    match tempfile_in(existing) {
        Ok(()) => Finding::ok(NAME, format!("{place} will be made at the first start")),
        Err(error) => Finding::broken(
            NAME,
            format!("{place} cannot be made: {}: {error}", existing.display()),
            "Set ORCH_DATA_DIR to a folder that can be written.",
        ),
    }
}

/// Makes a file and takes it away again.
fn tempfile_in(dir: &Path) -> std::io::Result<()> {
    let path = dir.join(format!(".orch-doctor-{}", std::process::id()));
    fs::File::create_new(&path)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::doctor::Status;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        database: DatabaseArgs,
    }

    async fn finding(arguments: &[&str]) -> Finding {
        let args = Program::parse_from([&["program"], arguments].concat()).database;
        check(&args, false, Duration::from_secs(5)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_embedded_store_is_looked_at_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("new/folder");
        let data_dir = ["--data-dir", below.to_str().unwrap()];
        let before = finding(&data_dir).await;
        assert_eq!(before.status, Status::Ok, "{before:?}");
        assert!(!below.exists());

        let args = Program::parse_from([&["program"], &data_dir[..]].concat()).database;
        let store = Store::connect(&args).await.unwrap();
        store.migrate().await.unwrap();
        let locked = finding(&data_dir).await;
        assert_eq!(locked.status, Status::Broken, "{locked:?}");
        drop(store);
        assert_eq!(finding(&data_dir).await.status, Status::Ok);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_cannot_be_is_told() {
        let unknown = finding(&["--task-store", "redis"]).await;
        assert_eq!(unknown.status, Status::Broken);
        let nobody = [
            "--task-store",
            "postgres",
            "--database-url",
            "postgres://me:hunter2@127.0.0.1:1/none",
        ];
        let nobody = finding(&nobody).await;
        assert_eq!(nobody.status, Status::Broken, "{nobody:?}");
        assert!(!format!("{nobody:?}").contains("hunter2"), "{nobody:?}");
    }
}
