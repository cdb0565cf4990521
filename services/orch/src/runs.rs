//! `orch runs`: one piece of work each, from trigger to outcome. `orch run` starts one.

mod list;
mod show;

use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Outcome},
    follow::{self, FollowArgs},
    output::Output,
    view::text,
};

#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum RunsCommand {
    /// List runs.
    List(list::ListArgs),
    /// Show a run and its tasks.
    Show(RunId),
    /// Follow a run to its end, from its beginning on.
    Follow {
        #[command(flatten)]
        run: RunId,
        #[command(flatten)]
        follow: FollowArgs,
    },
    /// Cancel a run and its tasks that have not ended.
    Cancel(RunId),
    /// Keep back what has not begun.
    Pause(RunId),
    /// Let a paused run go on.
    Resume(RunId),
    /// Replay every failed task of a failed run.
    Retry(RunId),
}

/// Which run.
#[derive(Clone, Copy, Debug, Args)]
struct RunId {
    #[arg(value_name = "RUN")]
    id: Uuid,
}

pub(crate) async fn command(args: RunsArgs, output: &Output) -> Outcome {
    let client = Client::new(&args.server)?;
    match args.command {
        RunsCommand::List(args) => list::command(&client, args, output).await,
        RunsCommand::Show(RunId { id }) => show::command(&client, id, output).await,
        RunsCommand::Follow { run, follow } => {
            follow::to_its_end(&client, output, &run.id.to_string(), follow).await
        }
        RunsCommand::Cancel(RunId { id }) => change(&client, id, "cancel", output).await,
        RunsCommand::Pause(RunId { id }) => change(&client, id, "pause", output).await,
        RunsCommand::Resume(RunId { id }) => change(&client, id, "resume", output).await,
        RunsCommand::Retry(RunId { id }) => change(&client, id, "retry", output).await,
    }
}

async fn change(client: &Client, id: Uuid, verb: &str, output: &Output) -> Outcome {
    let run = client.post(&["runs", &id.to_string(), verb], None).await?;
    output.result(&run, || format!("Run {id} is {}.", text(&run, "/status")))?;
    Ok(Exit::Completed)
}
