//! `orch tasks`: one agent invocation each.

mod create;
mod dispatch;
mod history;
mod list;
mod show;
mod transcript;

use clap::{Args, Subcommand};
use uuid::Uuid;

pub(crate) use self::list::shown as list_of;
use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Outcome},
    output::Output,
    view::text,
};

#[derive(Clone, Debug, Args)]
pub struct TasksArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: TasksCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum TasksCommand {
    /// List tasks.
    List(list::ListArgs),
    /// Show a task and its result.
    Show(TaskId),
    /// Create a task, in a run that exists or in one made for it.
    Create(Box<create::CreateArgs>),
    /// Cancel a task that has not ended, and those that depend on it.
    Cancel(TaskId),
    /// Queue a failed or cancelled task again, or end the wait of a retrying one.
    Retry(TaskId),
    /// Queue a pending task, or the oldest pending ones.
    Dispatch(dispatch::DispatchArgs),
    /// Show everything that happened to a task.
    History(TaskId),
    /// Show prompts, answers and tool calls of each attempt.
    Transcript(TaskId),
    /// Delete a task; one that has not ended is cancelled first.
    Delete(TaskId),
}

/// Which task.
#[derive(Clone, Copy, Debug, Args)]
struct TaskId {
    #[arg(value_name = "TASK")]
    id: Uuid,
}

pub(crate) async fn command(args: TasksArgs, output: &Output) -> Outcome {
    let client = Client::new(&args.server)?;
    match args.command {
        TasksCommand::List(args) => list::command(&client, args, output).await,
        TasksCommand::Show(TaskId { id }) => show::command(&client, id, output).await,
        TasksCommand::Create(args) => create::command(&client, *args, output).await,
        TasksCommand::Cancel(TaskId { id }) => change(&client, id, "cancel", output).await,
        TasksCommand::Retry(TaskId { id }) => change(&client, id, "retry", output).await,
        TasksCommand::Dispatch(args) => dispatch::command(&client, args, output).await,
        TasksCommand::History(TaskId { id }) => history::command(&client, id, output).await,
        TasksCommand::Transcript(TaskId { id }) => transcript::command(&client, id, output).await,
        TasksCommand::Delete(TaskId { id }) => delete(&client, id, output).await,
    }
}

/// Asks for one of the changes that take nothing but the task.
async fn change(client: &Client, id: Uuid, verb: &str, output: &Output) -> Outcome {
    let task = client.post(&["tasks", &id.to_string(), verb], None).await?;
    output.result(&task, || format!("Task {id} is {}.", text(&task, "/status")))?;
    Ok(Exit::Completed)
}

async fn delete(client: &Client, id: Uuid, output: &Output) -> Outcome {
    client.delete(&["tasks", &id.to_string()], &[]).await?;
    output.result(&serde_json::json!({ "deleted": id }), || format!("Task {id} is deleted."))?;
    Ok(Exit::Completed)
}
