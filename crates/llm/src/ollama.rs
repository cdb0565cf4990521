//! Ollama's wire format: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Error, Finish, Request, Usage,
    piece::{Piece, unreadable},
};

/// The body of `POST /api/chat`. `context_tokens` is said always: Ollama cuts a prompt that does not fit, silently.
pub(crate) fn body(request: &Request, context_tokens: u32) -> Value {
    let mut body = json!({
        "model": request.model,
        "messages": request.messages,
        "stream": true,
        "options": {
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
            "num_ctx": context_tokens,
        },
    });
    if let Some(schema) = &request.schema {
        body["format"] = schema.value.clone();
    }
    body
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
