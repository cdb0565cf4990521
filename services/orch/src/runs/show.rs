//! `orch runs show`

use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::Client,
    failure::{Exit, Outcome},
    output::Output,
    tasks::list_of,
    view::{ago, fields, items, plain, text},
};

pub(super) async fn command(client: &Client, id: Uuid, output: &Output) -> Outcome {
    let id = id.to_string();
    let run = client.get(&["runs", &id], &[]).await?;
    let tasks = client.get(&["runs", &id, "tasks"], &[]).await?;
    let tasks = items(&tasks);
    output.result(&json!({ "run": run, "tasks": tasks }), || shown(&run, tasks))?;
    Ok(Exit::Completed)
}

fn shown(run: &Value, tasks: &[Value]) -> String {
    let now = Utc::now();
    let outcome = match run.get("outcome") {
        None | Some(Value::Null) => String::new(),
        Some(outcome) => plain(&serde_json::to_string_pretty(outcome).unwrap_or_default()),
    };
    let facts = fields(&[
        ("id", text(run, "/id")),
        ("workflow", text(run, "/workflow")),
        ("status", text(run, "/status")),
        ("source", text(run, "/source/kind")),
        ("repository", text(run, "/repository")),
        ("base", text(run, "/baseRef")),
        ("branch", text(run, "/branch")),
        ("commit", text(run, "/headCommit")),
        ("created", ago(run, "/createdAt", now)),
        ("finished", ago(run, "/finishedAt", now)),
        (
            "tokens",
            format!("{} in, {} out", text(run, "/usage/tokensIn"), text(run, "/usage/tokensOut")),
        ),
        ("goal", text(run, "/goal")),
        ("outcome", outcome),
    ]);
    format!("{facts}\n\n{}", list_of(tasks))
}
