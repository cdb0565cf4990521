//! `orch agents`: the team, and what runs it.

use clap::Args;
use serde_json::Value;

use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Outcome},
    output::Output,
    view::{items, short, table, text},
};

#[derive(Clone, Debug, Args)]
pub struct AgentsArgs {
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) async fn command(args: AgentsArgs, output: &Output) -> Outcome {
    let agents = Client::new(&args.server)?.get(&["agents"], &[]).await?;
    let row = |agent: &Value| {
        vec![
            text(agent, "/role"),
            text(agent, "/executor"),
            text(agent, "/model"),
            text(agent, "/kinds"),
            text(agent, "/tools"),
            short(agent, "/purpose"),
        ]
    };
    let headers = ["role", "executor", "model", "kinds", "tools", "purpose"];
    output.result(&agents, || {
        table(&headers, items(&agents).iter().map(row).collect(), "No agents.")
    })?;
    Ok(Exit::Completed)
}
