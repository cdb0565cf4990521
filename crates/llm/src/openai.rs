//! The wire format of OpenAI-compatible servers: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Servers differ in what they leave out, so nothing is demanded that is not needed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Finish, Message, Request, Usage,
    piece::{Piece, unreadable},
};

/// The body of `POST /v1/chat/completions`.
#[derive(Serialize)]
pub(crate) struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    stream_options: StreamOptions,
    temperature: f64,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    schema: &'a Value,
    strict: bool,
}

pub(crate) fn body(request: &Request) -> Body<'_> {
    Body {
        model: &request.model,
        messages: &request.messages,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        temperature: request.temperature,
        max_tokens: request.max_tokens,
        response_format: request.schema.as_ref().map(|schema| ResponseFormat {
            r#type: "json_schema",
            json_schema: JsonSchema { name: &schema.name, schema: &schema.value, strict: true },
        }),
    }
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
