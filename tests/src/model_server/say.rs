//! Answers, written in either wire format.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{Outcome, Request, UnderWay, Wire};

/// Characters of one piece of a streamed answer.
const PIECE_CHARS: usize = 24;
/// Bytes that count as one token.
const TOKEN_BYTES: usize = 4;

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    pub(super) read: u64,
    pub(super) written: u64,
}

impl Tokens {
    fn of(request: &Request, text: &str) -> Self {
        let count = |bytes: usize| bytes.div_ceil(TOKEN_BYTES) as u64;
        let read = request.messages.iter().map(|it| it.text.len()).sum();
        Self { read: count(read), written: count(text.len()) }
    }
}

/// A whole answer, in pieces if that was asked for.
pub(super) fn whole(request: &Request, text: &str, mut under_way: UnderWay) -> HttpResponse {
    let tokens = Tokens::of(request, text);
    if !request.stream {
        under_way.end(Outcome::Answered, tokens);
        return HttpResponse::Ok().json(in_one(request, text, tokens));
    }
    let mut pieces: Vec<Bytes> = pieces(text).iter().map(|it| piece(request, it)).collect();
    pieces.extend(last(request, tokens));
    let count = pieces.len();
    let sent = stream::iter(pieces).enumerate().map(move |(index, piece)| {
        if index + 1 == count {
            under_way.end(Outcome::Answered, tokens);
        }
        Ok::<_, std::io::Error>(piece)
    });
    head(request.wire).streaming(sent)
}

/// The first half of an answer, and then a broken connection.
pub(super) fn half(request: &Request, text: &str, mut under_way: UnderWay) -> HttpResponse {
    let pieces = pieces(text);
    let half = pieces[..pieces.len() / 2].iter().map(|it| Ok(piece(request, it)));
    let broken = stream::once(async move {
        // A turn later, so that what came before is sent.
        tokio::task::yield_now().await;
        under_way.end(Outcome::Cut, Tokens::default());
        Err(std::io::Error::other("the connection is cut here"))
    });
    head(request.wire).streaming(stream::iter(half.collect::<Vec<_>>()).chain(broken).boxed_local())
}

fn head(wire: Wire) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type(match wire {
        Wire::OpenAi => "text/event-stream",
        Wire::Ollama => "application/x-ndjson",
    });
    response
}

fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(PIECE_CHARS).map(|it| it.iter().collect()).collect()
}

fn piece(request: &Request, text: &str) -> Bytes {
    match request.wire {
        Wire::OpenAi => event(&json!({
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": request.model,
            "choices": [{ "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": null }],
        })),
        Wire::Ollama => line(&json!({
            "model": request.model,
            "created_at": "2026-01-01T00:00:00.000000Z",
            "message": { "role": "assistant", "content": text },
            "done": false,
        })),
    }
}

/// What ends an answer: why it ended, and what it cost.
fn last(request: &Request, tokens: Tokens) -> Vec<Bytes> {
    let Tokens { read, written } = tokens;
    match request.wire {
        Wire::OpenAi => {
            let chunk = |choices: Value, usage: Value| {
                event(&json!({
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": request.model,
                    "choices": choices,
                    "usage": usage,
                }))
            };
            let usage = json!({
                "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
            });
            vec![
                chunk(json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]), Value::Null),
                chunk(json!([]), usage),
                Bytes::from_static(b"data: [DONE]\n\n"),
            ]
        }
        Wire::Ollama => vec![line(&ollama_end(request, "", tokens))],
    }
}

fn in_one(request: &Request, text: &str, tokens: Tokens) -> Value {
    let Tokens { read, written } = tokens;
    match request.wire {
        Wire::OpenAi => json!({
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": request.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text },
                "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written },
        }),
        Wire::Ollama => ollama_end(request, text, tokens),
    }
}

fn ollama_end(request: &Request, text: &str, tokens: Tokens) -> Value {
    json!({
        "model": request.model,
        "created_at": "2026-01-01T00:00:00.000000Z",
        "message": { "role": "assistant", "content": text },
        "done": true,
        "done_reason": "stop",
        "total_duration": 1_000_000,
        "load_duration": 0,
        "prompt_eval_count": tokens.read,
        "prompt_eval_duration": 500_000,
        "eval_count": tokens.written,
        "eval_duration": 500_000,
    })
}

fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn line(data: &Value) -> Bytes {
    Bytes::from(format!("{data}\n"))
}

/// An error in the words of its format.
pub(super) struct Refusal {
    status: StatusCode,
    body: Value,
}

pub(super) fn refusal(wire: Wire, status: StatusCode, why: &str) -> Refusal {
    let body = match wire {
        Wire::OpenAi => json!({ "error": { "message": why, "type": "scripted", "code": null } }),
        Wire::Ollama => json!({ "error": why }),
    };
    Refusal { status, body }
}

impl Refusal {
    /// The response; `retry_after` is in seconds.
    pub(super) fn finish_with(self, retry_after: Option<u32>) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.json(self.body)
    }
}

pub(super) fn openai_models(model: &str) -> Value {
    json!({ "object": "list", "data": [{ "id": model, "object": "model", "created": 1, "owned_by": "test" }] })
}

pub(super) fn ollama_models(model: &str) -> Value {
    json!({ "models": [{
        "name": model,
        "model": model,
        "modified_at": "2026-01-01T00:00:00Z",
        "size": 1,
        "digest": "0".repeat(64),
        "details": ollama_details(),
    }] })
}

pub(super) fn ollama_show() -> Value {
    json!({ "details": ollama_details(), "model_info": {}, "capabilities": ["completion"] })
}

fn ollama_details() -> Value {
    json!({
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "1B",
        "quantization_level": "Q4_0",
    })
}
