//! `orch deliveries`: webhooks received, and what became of each.

use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Outcome},
    names,
    output::Output,
    page::{self, PageArgs},
    view::{ago, fields, items, plain, short, table, text},
};

#[derive(Clone, Debug, Args)]
pub struct DeliveriesArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: DeliveriesCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DeliveriesCommand {
    /// List deliveries.
    List(ListArgs),
    /// Show a delivery and its body.
    Show {
        /// GitHub's X-GitHub-Delivery.
        #[arg(value_name = "DELIVERY")]
        id: String,
    },
    /// Have a delivery taken again, by the rules of today.
    Redeliver {
        /// GitHub's X-GitHub-Delivery.
        #[arg(value_name = "DELIVERY")]
        id: String,
    },
}

#[derive(Clone, Debug, Args)]
struct ListArgs {
    /// Only those of this event, by GitHub's name, as `issues`.
    #[arg(long)]
    event: Option<String>,
    /// Only those of which this became.
    #[arg(long, value_parser = names::delivery_statuses())]
    status: Option<String>,
    /// Only those of this repository, as owner/name.
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(crate) async fn command(args: DeliveriesArgs, output: &Output) -> Outcome {
    let client = Client::new(&args.server)?;
    match args.command {
        DeliveriesCommand::List(args) => list(&client, args, output).await,
        DeliveriesCommand::Show { id } => show(&client, &id, output).await,
        DeliveriesCommand::Redeliver { id } => redeliver(&client, &id, output).await,
    }
}

async fn list(client: &Client, args: ListArgs, output: &Output) -> Outcome {
    let query = [
        ("event", args.event),
        ("status", args.status),
        ("repository", args.repo),
        ("limit", args.page.limit()),
        ("cursor", args.page.cursor),
    ];
    let deliveries = client.get(&["deliveries"], &query).await?;
    let now = Utc::now();
    let row = |it: &Value| {
        vec![
            text(it, "/id"),
            text(it, "/event"),
            text(it, "/action"),
            short(it, "/repository"),
            text(it, "/status"),
            ago(it, "/receivedAt", now),
            text(it, "/runId"),
        ]
    };
    let headers = ["id", "event", "action", "repository", "status", "received", "run"];
    page::show(output, &deliveries, || {
        table(&headers, items(&deliveries).iter().map(row).collect(), "No deliveries.")
    })
}

async fn show(client: &Client, id: &str, output: &Output) -> Outcome {
    let answer = client.get(&["deliveries", id], &[]).await?;
    output.result(&answer, || {
        let delivery = &answer["delivery"];
        let facts = fields(&[
            ("id", text(delivery, "/id")),
            ("event", text(delivery, "/event")),
            ("action", text(delivery, "/action")),
            ("repository", text(delivery, "/repository")),
            ("sender", text(delivery, "/sender")),
            ("status", text(delivery, "/status")),
            ("because", text(delivery, "/reason")),
            ("run", text(delivery, "/runId")),
            ("received", ago(delivery, "/receivedAt", Utc::now())),
            ("redelivered", text(delivery, "/redeliveries")),
            ("bytes", text(delivery, "/size")),
        ]);
        format!(
            "{facts}\n\n{}",
            plain(&serde_json::to_string_pretty(&answer["payload"]).unwrap_or_default())
        )
    })?;
    Ok(Exit::Completed)
}

async fn redeliver(client: &Client, id: &str, output: &Output) -> Outcome {
    let delivery = client.post(&["deliveries", id, "redeliver"], None).await?;
    output.result(&delivery, || {
        format!("Delivery {} will be taken again.", text(&delivery, "/id"))
    })?;
    Ok(Exit::Completed)
}
