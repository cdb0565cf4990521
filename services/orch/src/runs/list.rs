//! `orch runs list`

use chrono::Utc;
use clap::Args;
use serde_json::Value;

use crate::{
    client::Client,
    failure::Outcome,
    names,
    output::Output,
    page::{self, PageArgs},
    repository,
    view::{ago, items, short, table, text},
};

#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Only those in this state.
    #[arg(long, value_parser = names::run_statuses())]
    status: Option<String>,
    /// Only those that follow these rules.
    #[arg(long, value_parser = names::workflows())]
    workflow: Option<String>,
    /// Only those that work on this repository.
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn command(client: &Client, args: ListArgs, output: &Output) -> Outcome {
    let repository = args.repo.as_deref().map(repository::resolve).transpose()?;
    let query = [
        ("status", args.status),
        ("workflow", args.workflow),
        ("repository", repository),
        ("limit", args.page.limit()),
        ("cursor", args.page.cursor),
    ];
    let runs = client.get(&["runs"], &query).await?;
    page::show(output, &runs, || shown(items(&runs)))
}

fn shown(runs: &[Value]) -> String {
    let now = Utc::now();
    let row = |run: &Value| {
        vec![
            text(run, "/id"),
            text(run, "/workflow"),
            text(run, "/status"),
            ago(run, "/createdAt", now),
            short(run, "/repository"),
            short(run, "/goal"),
        ]
    };
    let headers = ["id", "workflow", "status", "created", "repository", "goal"];
    table(&headers, runs.iter().map(row).collect(), "No runs. `orch run \"a goal\"` starts one.")
}
