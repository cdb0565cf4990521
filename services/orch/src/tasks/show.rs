//! `orch tasks show`

use chrono::Utc;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::Client,
    failure::{Exit, Outcome},
    output::Output,
    view::{ago, fields, result, text},
};

pub(super) async fn command(client: &Client, id: Uuid, output: &Output) -> Outcome {
    let task = client.get(&["tasks", &id.to_string()], &[]).await?;
    output.result(&task, || shown(&task))?;
    Ok(Exit::Completed)
}

fn shown(task: &Value) -> String {
    let now = Utc::now();
    let error = match task.get("error") {
        None | Some(Value::Null) => String::new(),
        Some(_) => format!("{}: {}", text(task, "/error/code"), text(task, "/error/message")),
    };
    let mut parts = vec![fields(&[
        ("id", text(task, "/id")),
        ("run", text(task, "/runId")),
        ("role", text(task, "/role")),
        ("kind", text(task, "/kind")),
        ("status", text(task, "/status")),
        ("attempts", text(task, "/attempt")),
        ("priority", text(task, "/priority")),
        ("depends on", text(task, "/dependsOn")),
        ("created", ago(task, "/createdAt", now)),
        ("finished", ago(task, "/finishedAt", now)),
        ("next attempt", ago(task, "/runAt", now)),
        (
            "tokens",
            format!("{} in, {} out", text(task, "/usage/tokensIn"), text(task, "/usage/tokensOut")),
        ),
        ("cancelled by", text(task, "/cancelReason")),
        ("error", error),
        ("description", text(task, "/description")),
    ])];
    parts.push(result(&task["result"]));
    parts.retain(|it| !it.is_empty());
    parts.join("\n\n")
}
