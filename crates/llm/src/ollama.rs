//! Ollama's wire format: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Finish, Message, Request, Usage,
    piece::{Piece, unreadable},
};

/// The body of `POST /api/chat`.
#[derive(Serialize)]
pub(crate) struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    options: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Value>,
}

#[derive(Serialize)]
struct Options {
    num_predict: u32,
    temperature: f64,
    /// Said always: Ollama cuts a prompt that does not fit, silently.
    num_ctx: u32,
}

pub(crate) fn body(request: &Request, context_tokens: u32) -> Body<'_> {
    Body {
        model: &request.model,
        messages: &request.messages,
        stream: true,
        options: Options {
            num_predict: request.max_tokens,
            temperature: request.temperature,
            num_ctx: context_tokens,
        },
        format: request.schema.as_ref().map(|schema| &schema.value),
    }
}

#[derive(Deserialize)]
struct Line {
    model: Option<String>,
    message: Option<Said>,
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
}

/// Reads one line of an answer.
pub(crate) fn piece(payload: &[u8]) -> Result<Piece, Error> {
    let line: Line =
        serde_json::from_slice(payload).map_err(|error| unreadable(payload, &error))?;
    Ok(Piece {
        text: line.message.map(|it| it.content).unwrap_or_default(),
        finish: line.done.then(|| finish(line.done_reason.as_deref())),
        usage: line.done.then(|| Usage {
            // Left out by servers that had the whole prompt in their cache.
            tokens_in: line.prompt_eval_count.unwrap_or_default(),
            tokens_out: line.eval_count.unwrap_or_default(),
        }),
        model: line.model,
        last: line.done,
    })
}

fn finish(reason: Option<&str>) -> Finish {
    match reason {
        // Old servers give no reason.
        Some("stop") | None => Finish::Stop,
        Some("length") => Finish::Length,
        Some(_) => Finish::Other,
    }
}

/// The names of the models in an answer of `GET /api/tags`.
pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Tags {
        models: Vec<Tag>,
    }
    #[derive(Deserialize)]
    struct Tag {
        name: String,
    }
    let tags: Tags = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    Ok(tags.models.into_iter().map(|it| it.name).collect())
}
