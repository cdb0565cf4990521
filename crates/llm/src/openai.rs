//! The wire format of OpenAI-compatible servers: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Servers differ in what they leave out, so nothing is demanded that is not needed.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Error, Finish, Request, Usage,
    piece::{Piece, unreadable},
};

/// The body of `POST /v1/chat/completions`.
pub(crate) fn body(request: &Request) -> Value {
    let mut body = json!({
        "model": request.model,
        "messages": request.messages,
        "stream": true,
        "stream_options": { "include_usage": true },
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    });
    if let Some(schema) = &request.schema {
        body["response_format"] = json!({
            "type": "json_schema",
            "json_schema": { "name": schema.name, "schema": schema.value, "strict": true },
        });
    }
    body
}

#[derive(Deserialize)]
struct Event {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    /// What a streamed answer adds.
    delta: Option<Said>,
    /// The whole, from a server that does not stream.
    message: Option<Said>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// Reads one event of an answer, or an answer that came whole.
pub(crate) fn piece(payload: &[u8]) -> Result<Piece, Error> {
    if payload.trim_ascii() == b"[DONE]" {
        return Ok(Piece { last: true, ..Piece::default() });
    }
    let event: Event =
        serde_json::from_slice(payload).map_err(|error| unreadable(payload, &error))?;
    let usage = event
        .usage
        .map(|it| Usage { tokens_in: it.prompt_tokens, tokens_out: it.completion_tokens });
    let mut piece = Piece { usage, model: event.model, ..Piece::default() };
    if let Some(choice) = event.choices.into_iter().next() {
        piece.finish = choice.finish_reason.as_deref().map(finish);
        piece.text = choice.delta.or(choice.message).and_then(|it| it.content).unwrap_or_default();
    }
    Ok(piece)
}

fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        _ => Finish::Other,
    }
}

/// The names of the models in an answer of `GET /v1/models`.
pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: String,
    }
    let list: List = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    Ok(list.data.into_iter().map(|it| it.id).collect())
}
