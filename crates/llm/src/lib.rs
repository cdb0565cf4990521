//! Model servers: one request, one streamed answer, or an error that the caller can act on.
//!
//! Dramatis personae:
//! - A [`Model`] answers a [`Request`] with a [`Reply`]. The real one is [`Client`], which speaks Ollama's format or that
//!   of OpenAI-compatible servers; `ScriptedModel` (feature `scripted`) is for tests.
//! - A [`Policy`] says which hosts may be talked to. It is asked when the settings are read, and again about the very
//!   address of every connection.
//! - [`Limits`] bound every wait and every answer, so that no server can hang or fill a worker.
//!
//! This crate knows nothing of tasks, roles or tools. Whoever uses [`Client`] must have installed a rustls crypto provider.

mod endpoint;
mod error;
mod policy;

mod client;
mod frames;
mod ollama;
mod openai;
mod piece;
mod resolver;
mod retry_after;
mod scrub;

pub mod metrics;
#[cfg(feature = "scripted")]
mod scripted;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Serialize, Serializer};
use serde_json::Value;

pub use client::{Client, ClientSettings, Limits};
pub use endpoint::{Endpoint, InvalidUrl, WireFormat};
pub use error::{Error, Phase};
pub use policy::{AllowedHost, InvalidHost, Policy, PolicyKind, PolicyViolation};
#[cfg(feature = "scripted")]
pub use scripted::{ScriptedModel, Step};

/// Something that answers a conversation.
#[async_trait]
pub trait Model: Send + Sync {
    /// Asks, hands every piece of text to `on_token` as it comes, and returns the whole. Dropping the future ends the
    /// request.
    async fn complete(&self, request: &Request, on_token: OnToken<'_>) -> Result<Reply, Error>;
}

/// Takes pieces of an answer as they come.
pub type OnToken<'a> = &'a mut (dyn for<'t> FnMut(&'t str) + Send);

/// What a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub model: String,
    pub messages: Vec<Message>,
    /// From 0, the likeliest words, to 2.
    pub temperature: f64,
    /// Tokens that the answer may have.
    pub max_tokens: u32,
    /// The form that the answer must have, where the server can hold the model to one.
    pub schema: Option<Arc<Schema>>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    pub role: MessageRole,
    /// Shared: thousands of conversations wait for their models at once, and each prompt is in memory once.
    #[serde(serialize_with = "as_text")]
    pub content: Arc<str>,
}

fn as_text<S: Serializer>(content: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(content)
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageRole {
    System,
    User,
    Assistant,
}

/// A JSON Schema with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Letters, digits and underscores.
    pub name: String,
    /// Without references; llama.cpp's and Ollama's converters do not follow all of them.
    pub value: Value,
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    pub usage: Usage,
    /// From the request to the end of the answer.
    pub latency: Duration,
    pub finish: Finish,
    /// The model that answered, by the name that the server gives it.
    pub model: String,
}

/// Tokens as the server counts them; 0 where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub tokens_in: u64,
    pub tokens_out: u64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model had said what it wanted to say.
    Stop,
    /// The limit of tokens, or the model's context, was reached: the end is missing.
    Length,
    /// For another reason, such as a content filter.
    Other,
}
