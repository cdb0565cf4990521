//! One request and its streamed answer, every wait and every byte bounded.

use std::{error::Error as StdError, time::Duration};

use chrono::Utc;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use tokio::time::{Instant, timeout, timeout_at};

use super::Client;
use crate::{
    Endpoint, Error, Finish, OnToken, Phase, Reply, Request, WireFormat,
    frames::{Frames, Framing},
    ollama, openai,
    piece::{Answer, Complaint},
    policy::PolicyViolation,
    retry_after::retry_after,
    scrub::scrubbed,
};

/// Bytes of an error's body that are looked at.
const COMPLAINT_BYTES: usize = 65_536;
/// How long to wait for the end of a stream whose last word has come, so that its connection can serve again.
const TAIL: Duration = Duration::from_millis(100);

impl Client {
    /// Asks, and reads the answer as it comes. The limit on the whole is the caller's.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        on_token: OnToken<'_>,
    ) -> Result<Reply, Error> {
        let limits = self.settings.limits;
        let post = self.http.post(self.settings.endpoint.chat(self.settings.format));
        let post = match self.settings.format {
            WireFormat::Ollama => post.json(&ollama::body(request, self.settings.context_tokens)),
            WireFormat::OpenAi => post.json(&openai::body(request)),
        };
        let late = |phase, after| move |_elapsed| Error::Timeout { phase, after };
        let first_byte_by = Instant::now() + limits.first_byte;
        let mut response = timeout_at(first_byte_by, self.send(post))
            .await
            .map_err(late(Phase::FirstByte, limits.first_byte))??;

        let mut reading = Reading::new(self.settings.format, &response, limits.response_bytes);
        let mut chunk = timeout_at(first_byte_by, response.chunk())
            .await
            .map_err(late(Phase::FirstByte, limits.first_byte))?;
        while let Some(bytes) = chunk.map_err(|error| interrupted(&error))? {
            if reading.take(&bytes, on_token).map_err(|error| self.clean(error))? {
                let tail = async { while let Ok(Some(_)) = response.chunk().await {} };
                let _ = timeout(TAIL, tail).await;
                break;
            }
            chunk = timeout(limits.idle, response.chunk())
                .await
                .map_err(late(Phase::Idle, limits.idle))?;
        }
        reading.finish(&request.model, on_token).map_err(|error| self.clean(error))
    }

    /// An error whose words may be the server's, without our key and in bounds.
    pub(super) fn clean(&self, error: Error) -> Error {
        if let Error::Interrupted { cause } = error {
            Error::Interrupted { cause: scrubbed(&cause, self.key()) }
        } else if let Error::Malformed { cause } = error {
            Error::Malformed { cause: scrubbed(&cause, self.key()) }
        } else {
            error
        }
    }
}

/// An answer that is being read.
struct Reading {
    format: WireFormat,
    frames: Frames,
    answer: Answer,
    last: bool,
    seen: usize,
    limit: usize,
}

impl Reading {
    fn new(format: WireFormat, response: &Response, limit: usize) -> Self {
        let events = response.headers().get(CONTENT_TYPE).is_some_and(|it| {
            it.to_str().is_ok_and(|it| it.to_ascii_lowercase().starts_with("text/event-stream"))
        });
        let framing = match format {
            WireFormat::Ollama => Framing::Lines,
            WireFormat::OpenAi if events => Framing::Events,
            WireFormat::OpenAi => Framing::Whole,
        };
        let frames = Frames::new(framing);
        Self { format, frames, answer: Answer::default(), last: false, seen: 0, limit }
    }

    /// Takes what came. True once the server has said its last word.
    fn take(&mut self, bytes: &[u8], on_token: OnToken<'_>) -> Result<bool, Error> {
        self.seen = self.seen.saturating_add(bytes.len());
        if self.seen > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        for payload in self.frames.push(bytes) {
            self.payload(&payload, on_token)?;
        }
        Ok(self.last)
    }

    fn payload(&mut self, payload: &[u8], on_token: OnToken<'_>) -> Result<(), Error> {
        if self.last {
            return Ok(());
        }
        let piece = match self.format {
            WireFormat::Ollama => ollama::piece(payload)?,
            WireFormat::OpenAi => openai::piece(payload)?,
        };
        if !piece.text.is_empty() {
            on_token(&piece.text);
        }
        self.last = piece.last;
        self.answer.add(piece);
        Ok(())
    }

    /// The whole answer, if there is one.
    fn finish(mut self, model: &str, on_token: OnToken<'_>) -> Result<Reply, Error> {
        let frames = std::mem::replace(&mut self.frames, Frames::new(Framing::Whole));
        for payload in frames.finish() {
            self.payload(&payload, on_token)?;
        }
        let finish = match self.answer.finish {
            Some(finish) => finish,
            // Some servers end with `[DONE]` and give no reason.
            None if self.last => Finish::Stop,
            None => {
                return Err(Error::Interrupted {
                    cause: "the stream ended before the answer did".to_owned(),
                });
            }
        };
        Ok(Reply {
            text: self.answer.text,
            usage: self.answer.usage,
            latency: Duration::ZERO,
            finish,
            model: self.answer.model.unwrap_or_else(|| model.to_owned()),
        })
    }
}

/// The answer, if its status is a good one.
pub(super) async fn accept(response: Response, key: Option<&str>) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let code = status.as_u16();
    if status.is_redirection() {
        return Err(Error::Redirected { status: code });
    }
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| retry_after(it, Utc::now()));
    if status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::SERVICE_UNAVAILABLE && wait.is_some())
    {
        return Err(Error::RateLimited { status: code, retry_after: wait });
    }
    let message = complaint(response, key).await;
    let may_pass = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::CONFLICT]
            .contains(&status);
    Err(if may_pass {
        Error::Status { status: code, message }
    } else if is_about_context(&message) {
        Error::ContextExceeded { status: code, message }
    } else {
        Error::Rejected { status: code, message }
    })
}

/// Whether a refusal says that the conversation is too long. There is no code for it that servers share; they all say
/// "context" and that it is exceeded, or what its size, length or maximum is.
fn is_about_context(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("context")
        && ["exceed", "length", "size", "maximum", "window"].iter().any(|it| message.contains(it))
}

/// What the body of an error says, in bounds.
async fn complaint(mut response: Response, key: Option<&str>) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= COMPLAINT_BYTES {
            body.truncate(COMPLAINT_BYTES);
            break;
        }
    }
    let words =
        Complaint::read(&body).unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
    match scrubbed(&words, key) {
        empty if empty.is_empty() => "(no message)".to_owned(),
        words => words,
    }
}

/// A whole body of at most `limit` bytes.
pub(super) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| interrupted(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Err(Error::TooLarge { limit });
        }
    }
    Ok(body)
}

/// The error for a request that brought no answer: a violation of policy, if that is what lies beneath.
pub(super) fn unreachable(error: &reqwest::Error, endpoint: &Endpoint) -> Error {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    let mut deepest = String::new();
    while let Some(at) = source {
        if let Some(violation) = at.downcast_ref::<PolicyViolation>() {
            return Error::PolicyViolation(violation.clone());
        }
        deepest = at.to_string();
        source = at.source();
    }
    if error.is_timeout() {
        deepest = "no connection within the limit".to_owned();
    }
    Error::Unreachable { server: endpoint.server(), cause: scrubbed(&deepest, None) }
}

fn interrupted(error: &reqwest::Error) -> Error {
    let mut deepest: &dyn StdError = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    Error::Interrupted { cause: scrubbed(&deepest.to_string(), None) }
}
