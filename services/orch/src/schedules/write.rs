//! `orch schedules create`, `orch schedules update`

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{every, shown};
use crate::{
    client::Client,
    failure::{Exit, Failure, Outcome},
    names,
    output::Output,
    repository,
    run::body,
    view::text,
};

#[derive(Clone, Debug, Args)]
pub(super) struct CreateArgs {
    /// What it is called; no two have the same name.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    rule: RuleArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct UpdateArgs {
    #[arg(value_name = "SCHEDULE")]
    id: Uuid,
    /// What it is called; no two have the same name.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    rule: RuleArgs,
}

/// When it fires, and what it starts.
#[derive(Clone, Debug, Args)]
struct RuleArgs {
    /// Fire in intervals, as 90s, 5m, 2h or 1d.
    #[arg(long, value_name = "SPAN", value_parser = every::parse, conflicts_with = "cron")]
    every: Option<u64>,
    /// Fire by a cron expression of five fields, or six with seconds first.
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// Time zone of the expression, by its IANA name [default: UTC].
    #[arg(long, value_name = "ZONE", requires = "cron")]
    timezone: Option<String>,
    /// Start one task for each of these roles, with commas; needs --description.
    #[arg(long, value_delimiter = ',', value_parser = names::roles(), requires = "description", conflicts_with = "workflow")]
    roles: Vec<String>,
    /// What those tasks ask for.
    #[arg(long, requires = "roles")]
    description: Option<String>,
    /// Start a run of these rules; needs --goal.
    #[arg(long, value_parser = names::workflows(), requires = "goal")]
    workflow: Option<String>,
    /// What that run is for.
    #[arg(long, requires = "workflow")]
    goal: Option<String>,
    /// Repository to work on: owner/name, a URL, or a path of this machine.
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    /// Branch, tag or commit to begin from.
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// What to do about slots that passed while nobody looked [default: latest].
    #[arg(long, value_parser = names::catch_up_policies())]
    catch_up: Option<String>,
    /// Whether it fires [default: true].
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

pub(super) async fn create(client: &Client, args: CreateArgs, output: &Output) -> Outcome {
    let CreateArgs { name, rule } = args;
    if rule.every.is_none() && rule.cron.is_none() {
        return Err(Failure::usage("a schedule fires at some time")
            .advising("Say when with --every or --cron."));
    }
    if rule.roles.is_empty() && rule.workflow.is_none() {
        return Err(Failure::usage("a schedule starts something")
            .advising("Say what with --roles and --description, or with --workflow and --goal."));
    }
    let schedule = client.post(&["schedules"], Some(&rule.body(Some(name))?)).await?;
    output.result(&schedule, || text(&schedule, "/id"))?;
    Ok(Exit::Completed)
}

pub(super) async fn update(client: &Client, args: UpdateArgs, output: &Output) -> Outcome {
    let UpdateArgs { id, name, rule } = args;
    let body = rule.body(name)?;
    if body == json!({}) {
        return Err(Failure::usage("nothing is to be changed")
            .advising("`orch schedules update --help` lists what can be."));
    }
    let schedule = client.patch(&["schedules", &id.to_string()], &body).await?;
    output.result(&schedule, || shown(&schedule))?;
    Ok(Exit::Completed)
}

impl RuleArgs {
    /// What is given, as the API takes it.
    fn body(self, name: Option<String>) -> Result<Value, Failure> {
        let repository = self.repo.as_deref().map(repository::resolve).transpose()?;
        let cadence = match (self.every, self.cron) {
            (Some(millis), _) => Some(json!({ "kind": "interval", "everyMs": millis })),
            (None, Some(expression)) => Some(body([
                ("kind", Some("cron".into())),
                ("expression", Some(expression.into())),
                ("timezone", self.timezone.map(Value::from)),
            ])),
            (None, None) => None,
        };
        let target = match (self.workflow, self.description) {
            (Some(workflow), _) => {
                Some(json!({ "kind": "workflow", "workflow": workflow, "goal": self.goal }))
            }
            (None, Some(description)) => {
                Some(json!({ "kind": "roles", "roles": self.roles, "description": description }))
            }
            (None, None) => None,
        };
        Ok(body([
            ("name", name.map(Value::from)),
            ("cadence", cadence),
            ("target", target),
            ("repository", repository.map(Value::from)),
            ("baseRef", self.base.map(Value::from)),
            ("catchUp", self.catch_up.map(Value::from)),
            ("enabled", self.enabled.map(Value::from)),
        ]))
    }
}
