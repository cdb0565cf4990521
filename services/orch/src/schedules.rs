//! `orch schedules`: rules that start runs over time.

mod every;
mod write;

use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Outcome},
    output::Output,
    view::{ago, fields, items, short, table, text},
};

#[derive(Clone, Debug, Args)]
pub struct SchedulesArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: SchedulesCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum SchedulesCommand {
    /// List all schedules.
    List,
    /// Create a schedule.
    Create(Box<write::CreateArgs>),
    /// Show a schedule.
    Show(ScheduleId),
    /// Change parts of a schedule.
    Update(Box<write::UpdateArgs>),
    /// Delete a schedule; the runs that it started stay.
    Delete(ScheduleId),
    /// Start its run now, beside its slots.
    Trigger(ScheduleId),
}

/// Which schedule.
#[derive(Clone, Copy, Debug, Args)]
struct ScheduleId {
    #[arg(value_name = "SCHEDULE")]
    id: Uuid,
}

pub(crate) async fn command(args: SchedulesArgs, output: &Output) -> Outcome {
    let client = Client::new(&args.server)?;
    match args.command {
        SchedulesCommand::List => list(&client, output).await,
        SchedulesCommand::Create(args) => write::create(&client, *args, output).await,
        SchedulesCommand::Show(ScheduleId { id }) => show(&client, id, output).await,
        SchedulesCommand::Update(args) => write::update(&client, *args, output).await,
        SchedulesCommand::Delete(ScheduleId { id }) => delete(&client, id, output).await,
        SchedulesCommand::Trigger(ScheduleId { id }) => trigger(&client, id, output).await,
    }
}

async fn list(client: &Client, output: &Output) -> Outcome {
    let schedules = client.get(&["schedules"], &[]).await?;
    let now = Utc::now();
    let row = |it: &Value| {
        vec![
            text(it, "/id"),
            short(it, "/name"),
            cadence(it),
            target(it),
            text(it, "/enabled"),
            ago(it, "/nextAt", now),
        ]
    };
    let headers = ["id", "name", "cadence", "starts", "enabled", "next"];
    output.result(&schedules, || {
        table(&headers, items(&schedules).iter().map(row).collect(), "No schedules.")
    })?;
    Ok(Exit::Completed)
}

async fn show(client: &Client, id: Uuid, output: &Output) -> Outcome {
    let schedule = client.get(&["schedules", &id.to_string()], &[]).await?;
    output.result(&schedule, || shown(&schedule))?;
    Ok(Exit::Completed)
}

async fn delete(client: &Client, id: Uuid, output: &Output) -> Outcome {
    client.delete(&["schedules", &id.to_string()], &[]).await?;
    output.result(&json!({ "deleted": id }), || format!("Schedule {id} is deleted."))?;
    Ok(Exit::Completed)
}

async fn trigger(client: &Client, id: Uuid, output: &Output) -> Outcome {
    let run = client.post(&["schedules", &id.to_string(), "trigger"], None).await?;
    output.result(&run, || text(&run, "/id"))?;
    output
        .note_for_people(format_args!("Follow it with `orch runs follow {}`.", text(&run, "/id")));
    Ok(Exit::Completed)
}

/// A schedule for people.
fn shown(schedule: &Value) -> String {
    let now = Utc::now();
    let words = if schedule.pointer("/target/goal").is_some() {
        "/target/goal"
    } else {
        "/target/description"
    };
    fields(&[
        ("id", text(schedule, "/id")),
        ("name", text(schedule, "/name")),
        ("cadence", cadence(schedule)),
        ("catch-up", text(schedule, "/catchUp")),
        ("starts", target(schedule)),
        ("to do", text(schedule, words)),
        ("repository", text(schedule, "/repository")),
        ("base", text(schedule, "/baseRef")),
        ("enabled", text(schedule, "/enabled")),
        ("next", ago(schedule, "/nextAt", now)),
        ("last", ago(schedule, "/lastSlot", now)),
    ])
}

fn cadence(schedule: &Value) -> String {
    match schedule.pointer("/cadence/everyMs").and_then(Value::as_u64) {
        Some(millis) => format!("every {}", every::written(millis)),
        None => format!(
            "{} {}",
            text(schedule, "/cadence/expression"),
            text(schedule, "/cadence/timezone")
        ),
    }
}

fn target(schedule: &Value) -> String {
    match text(schedule, "/target/kind").as_str() {
        "roles" => text(schedule, "/target/roles"),
        _ => text(schedule, "/target/workflow"),
    }
}
