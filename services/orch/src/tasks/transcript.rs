//! `orch tasks transcript`

use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::Client,
    failure::{Exit, Outcome},
    output::Output,
    view::{items, some_text, text},
};

pub(super) async fn command(client: &Client, id: Uuid, output: &Output) -> Outcome {
    let transcript = client.get(&["tasks", &id.to_string(), "transcript"], &[]).await?;
    output.result(&transcript, || shown(items(&transcript)))?;
    Ok(Exit::Completed)
}

fn shown(turns: &[Value]) -> String {
    if turns.is_empty() {
        return "Nothing was said: no attempt has asked a model.".to_owned();
    }
    let turn = |turn: &Value| {
        let mut title = format!(
            "--- attempt {} · {} · {}",
            text(turn, "/attempt"),
            text(turn, "/kind"),
            text(turn, "/role")
        );
        if let Some(model) = some_text(turn, "/model") {
            title.push_str(&format!(" · {model}"));
        }
        if turn["tokensOut"].is_i64() {
            title.push_str(&format!(
                " · {} tokens in, {} out",
                text(turn, "/tokensIn"),
                text(turn, "/tokensOut")
            ));
        }
        format!("{title}\n{}", text(turn, "/content").trim_end())
    };
    turns.iter().map(turn).collect::<Vec<_>>().join("\n\n")
}
