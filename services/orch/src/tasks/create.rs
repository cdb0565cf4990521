//! `orch tasks create`

use clap::{Args, value_parser};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    client::Client,
    failure::{Exit, Outcome},
    names,
    output::Output,
    repository,
    run::body,
    view::text,
};

#[derive(Clone, Debug, Args)]
pub(super) struct CreateArgs {
    /// What to do.
    description: String,
    /// Who does it.
    #[arg(long, value_parser = names::roles())]
    role: String,
    /// The run that it joins [default: one made for it].
    #[arg(long, value_name = "RUN", conflicts_with = "repo")]
    run: Option<Uuid>,
    /// For a new run: where its work is, as owner/name, a URL, or a path of this machine.
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    /// Its id, where it shall be known beforehand.
    #[arg(long)]
    id: Option<Uuid>,
    /// Input beside the description, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object)]
    payload: Option<Value>,
    /// What to keep with it, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object)]
    metadata: Option<Value>,
    /// 0 first, 9 last [default: 5].
    #[arg(long, value_parser = value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// Tasks of the same run that must complete first, with commas.
    #[arg(long, value_delimiter = ',', value_name = "TASKS")]
    depends_on: Vec<Uuid>,
    /// Attempts before it is a dead letter [default: the worker's own setting].
    #[arg(long, value_parser = value_parser!(u8).range(1..=100))]
    max_attempts: Option<u8>,
    /// Keep it pending until somebody dispatches it.
    #[arg(long)]
    no_dispatch: bool,
}

pub(super) async fn command(client: &Client, args: CreateArgs, output: &Output) -> Outcome {
    let repository = args.repo.as_deref().map(repository::resolve).transpose()?;
    let id = |it: Uuid| Value::from(it.to_string());
    let depends_on: Vec<Value> = args.depends_on.into_iter().map(id).collect();
    let task = body([
        ("description", Some(args.description.into())),
        ("role", Some(args.role.into())),
        ("runId", args.run.map(id)),
        ("repository", repository.map(Value::from)),
        ("id", args.id.map(id)),
        ("payload", args.payload),
        ("metadata", args.metadata),
        ("priority", args.priority.map(Value::from)),
        ("dependsOn", (!depends_on.is_empty()).then(|| depends_on.into())),
        ("maxAttempts", args.max_attempts.map(Value::from)),
        ("dispatch", args.no_dispatch.then(|| false.into())),
    ]);
    let task = client.post(&["tasks"], Some(&task)).await?;
    output.result(&task, || text(&task, "/id"))?;
    let (status, run) = (text(&task, "/status"), text(&task, "/runId"));
    output.note_for_people(format_args!(
        "It is {status}. Follow its run with `orch runs follow {run}`."
    ));
    Ok(Exit::Completed)
}

fn object(given: &str) -> Result<Value, String> {
    let object: Map<String, Value> =
        serde_json::from_str(given).map_err(|error| format!("use a JSON object: {error}"))?;
    Ok(object.into())
}
