//! `orch dlq`: tasks that failed for good, and that nobody has replayed or dismissed.

use chrono::Utc;
use clap::{Args, Subcommand, value_parser};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Failure, Outcome},
    names,
    output::Output,
    page::{self, PageArgs},
    run::body,
    view::{ago, items, short, table, text},
};

#[derive(Clone, Debug, Args)]
pub struct DlqArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DlqCommand {
    /// List dead letters.
    List {
        /// Only those of this role.
        #[arg(long, value_parser = names::roles())]
        role: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Count them.
    Size {
        /// Only those of this role.
        #[arg(long, value_parser = names::roles())]
        role: Option<String>,
    },
    /// Queue dead letters again, with their attempts counted from zero.
    Replay(Choice),
    /// Dismiss dead letters: the tasks stay failed, and are listed here no more.
    Purge(Choice),
}

/// Which dead letters.
#[derive(Clone, Debug, Args)]
struct Choice {
    /// These tasks; without any, the oldest dead letters.
    #[arg(value_name = "TASK", conflicts_with_all = ["role", "limit"])]
    tasks: Vec<Uuid>,
    /// Only those of this role.
    #[arg(long, value_parser = names::roles())]
    role: Option<String>,
    /// How many [default: 100].
    #[arg(long, value_parser = value_parser!(u16).range(1..=1_000))]
    limit: Option<u16>,
}

pub(crate) async fn command(args: DlqArgs, output: &Output) -> Outcome {
    let client = Client::new(&args.server)?;
    match args.command {
        DlqCommand::List { role, page } => list(&client, role, page, output).await,
        DlqCommand::Size { role } => size(&client, role, output).await,
        DlqCommand::Replay(choice) => replay(&client, choice, output).await,
        DlqCommand::Purge(choice) => purge(&client, choice, output).await,
    }
}

async fn list(client: &Client, role: Option<String>, page: PageArgs, output: &Output) -> Outcome {
    let query = [("role", role), ("limit", page.limit()), ("cursor", page.cursor)];
    let letters = client.get(&["dlq"], &query).await?;
    page::show(output, &letters, || shown(items(&letters)))
}

fn shown(letters: &[Value]) -> String {
    let now = Utc::now();
    let row = |letter: &Value| {
        vec![
            text(letter, "/taskId"),
            text(letter, "/role"),
            text(letter, "/reason"),
            text(letter, "/attempts"),
            ago(letter, "/at", now),
            text(letter, "/error/code"),
            short(letter, "/error/message"),
        ]
    };
    let headers = ["task", "role", "reason", "attempts", "failed", "error", "message"];
    table(&headers, letters.iter().map(row).collect(), "No dead letters.")
}

async fn size(client: &Client, role: Option<String>, output: &Output) -> Outcome {
    let size = client.get(&["dlq", "size"], &[("role", role)]).await?;
    output.result(&size, || text(&size, "/size"))?;
    Ok(Exit::Completed)
}

async fn replay(client: &Client, choice: Choice, output: &Output) -> Outcome {
    let tasks: Vec<Value> = choice.tasks.iter().map(|it| it.to_string().into()).collect();
    let body = body([
        ("taskIds", (!tasks.is_empty()).then(|| tasks.into())),
        ("role", choice.role.map(Value::from)),
        ("limit", choice.limit.map(Value::from)),
    ]);
    let replayed = client.post(&["dlq", "replay"], Some(&body)).await?;
    output.result(&replayed, || {
        format!("{} dead letters are queued again.", text(&replayed, "/count"))
    })?;
    Ok(Exit::Completed)
}

/// The API dismisses one task that is named, or the oldest.
async fn purge(client: &Client, choice: Choice, output: &Output) -> Outcome {
    let limit = choice.limit.map(|it| it.to_string());
    let purged = if choice.tasks.is_empty() {
        client.delete(&["dlq"], &[("role", choice.role), ("limit", limit)]).await?
    } else {
        purge_each(client, &choice.tasks).await?
    };
    output
        .result(&purged, || format!("{} dead letters are dismissed.", text(&purged, "/count")))?;
    Ok(Exit::Completed)
}

async fn purge_each(client: &Client, tasks: &[Uuid]) -> Result<Value, Failure> {
    let mut purged = Vec::new();
    for task in tasks {
        let answer = client.delete(&["dlq"], &[("taskId", Some(task.to_string()))]).await?;
        purged.extend(answer["taskIds"].as_array().cloned().unwrap_or_default());
    }
    Ok(json!({ "count": purged.len(), "taskIds": purged }))
}
