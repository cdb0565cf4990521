//! `orch tasks list`

use chrono::Utc;
use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::Client,
    failure::Outcome,
    names,
    output::Output,
    page::{self, PageArgs},
    view::{ago, items, short, table, text},
};

#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Only those in this state.
    #[arg(long, value_parser = names::task_statuses())]
    status: Option<String>,
    /// Only those of this role.
    #[arg(long, value_parser = names::roles())]
    role: Option<String>,
    /// Only those of this run.
    #[arg(long, value_name = "RUN")]
    run: Option<Uuid>,
    /// Only those whose description has this text, in any case.
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn command(client: &Client, args: ListArgs, output: &Output) -> Outcome {
    let query = [
        ("status", args.status),
        ("role", args.role),
        ("runId", args.run.map(|it| it.to_string())),
        ("q", args.query),
        ("limit", args.page.limit()),
        ("cursor", args.page.cursor),
    ];
    let tasks = client.get(&["tasks"], &query).await?;
    page::show(output, &tasks, || shown(items(&tasks)))
}

/// Tasks as a table.
pub(crate) fn shown(tasks: &[Value]) -> String {
    let now = Utc::now();
    let row = |task: &Value| {
        vec![
            text(task, "/id"),
            text(task, "/role"),
            text(task, "/kind"),
            text(task, "/status"),
            text(task, "/attempt"),
            ago(task, "/createdAt", now),
            short(task, "/description"),
        ]
    };
    let headers = ["id", "role", "kind", "status", "attempts", "created", "description"];
    table(&headers, tasks.iter().map(row).collect(), "No tasks.")
}
