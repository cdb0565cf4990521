//! `orch tasks dispatch`

use clap::{Args, value_parser};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::Client,
    failure::{Exit, Outcome},
    names,
    output::Output,
    run::body,
    view::text,
};

#[derive(Clone, Debug, Args)]
pub(super) struct DispatchArgs {
    /// The task; without it, the oldest that nothing but a dispatch holds back.
    #[arg(value_name = "TASK", conflicts_with_all = ["role", "limit"])]
    id: Option<Uuid>,
    /// Only tasks of this role.
    #[arg(long, value_parser = names::roles())]
    role: Option<String>,
    /// How many [default: 50].
    #[arg(long, value_parser = value_parser!(u16).range(1..=1_000))]
    limit: Option<u16>,
}

pub(super) async fn command(client: &Client, args: DispatchArgs, output: &Output) -> Outcome {
    if let Some(id) = args.id {
        return super::change(client, id, "dispatch", output).await;
    }
    let choice =
        body([("role", args.role.map(Value::from)), ("limit", args.limit.map(Value::from))]);
    let queued = client.post(&["tasks", "dispatch"], Some(&choice)).await?;
    output.result(&queued, || format!("{} tasks are queued.", text(&queued, "/count")))?;
    Ok(Exit::Completed)
}
