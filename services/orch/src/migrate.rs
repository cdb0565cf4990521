//! `orch migrate`: the schema of the store.

use clap::Args;
use serde_json::json;
use store::{DatabaseArgs, Error, Store};

use crate::{
    failure::{Exit, Outcome},
    output::Output,
};

#[derive(Clone, Debug, Args)]
pub struct MigrateArgs {
    /// Only say whether the schema is that of this version; it is not if the exit code is 1.
    #[arg(long)]
    status: bool,
    /// Take back the newest migration.
    #[arg(long, conflicts_with = "status")]
    revert_one: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn command(args: MigrateArgs, output: &Output) -> Outcome {
    let store = Store::connect(&args.database).await?;
    if args.status {
        return status(&store, output).await;
    }
    if args.revert_one {
        let reverted = store.revert_migration().await?;
        output.result(&json!({ "reverted": reverted }), || match &reverted {
            Some(name) => format!("Migration {name} is taken back."),
            None => "There is no migration to take back.".to_owned(),
        })?;
        return Ok(Exit::Completed);
    }
    let ran = store.migrate().await?;
    output.result(&json!({ "ran": ran }), || match ran.as_slice() {
        [] => "The schema is current.".to_owned(),
        names => format!("Migrations have run: {}.", names.join(", ")),
    })?;
    Ok(Exit::Completed)
}

async fn status(store: &Store, output: &Output) -> Outcome {
    let (exit, current, detail) = match store.schema_is_current().await {
        Ok(()) => (Exit::Completed, true, "the schema is current".to_owned()),
        Err(Error::Schema(detail)) => (Exit::Failed, false, detail),
        Err(error) => return Err(error.into()),
    };
    output.result(&json!({ "current": current, "detail": detail }), || detail.clone())?;
    Ok(exit)
}
