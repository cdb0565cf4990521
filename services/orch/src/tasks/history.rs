//! `orch tasks history`

use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::Client,
    failure::{Exit, Outcome},
    output::Output,
    view::{items, shorten, table, text},
};

/// Characters of what an event says more of.
const DATA_CHARS: usize = 90;

pub(super) async fn command(client: &Client, id: Uuid, output: &Output) -> Outcome {
    let history = client.get(&["tasks", &id.to_string(), "history"], &[]).await?;
    output.result(&history, || shown(items(&history)))?;
    Ok(Exit::Completed)
}

fn shown(events: &[Value]) -> String {
    let row = |event: &Value| {
        let data = shorten(&text(event, "/data"), DATA_CHARS);
        vec![
            text(event, "/at"),
            text(event, "/kind"),
            text(event, "/attempt"),
            data.replace("{}", "-"),
        ]
    };
    table(
        &["at", "event", "attempt", "more"],
        events.iter().map(row).collect(),
        "Nothing has happened.",
    )
}
