//! Requests, read from either wire format.

use domain::role::Role;
use serde_json::{Map, Value};

use super::Form;

/// The formats that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// <https://platform.openai.com/docs/api-reference/chat>
    OpenAi,
    /// <https://github.com/ollama/ollama/blob/main/docs/api.md>
    Ollama,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `system`, `user` or `assistant`.
    pub by: String,
    pub text: String,
}

/// A request for an answer, whatever its format.
pub(super) struct Request {
    pub(super) wire: Wire,
    pub(super) form: Form,
    pub(super) model: Value,
    pub(super) messages: Vec<Said>,
    pub(super) stream: bool,
    pub(super) temperature: Option<f64>,
    pub(super) max_tokens: Option<u64>,
    /// Ollama's `num_ctx`.
    pub(super) context_tokens: Option<u64>,
    pub(super) schema: Option<Value>,
    /// The name of the schema, and whether it is strict; Ollama's format has neither.
    pub(super) schema_name: Option<(String, bool)>,
    /// Members that the format does not have, or that this server does not take.
    pub(super) strange: Vec<String>,
    pub(super) body: String,
}

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// A sentence, if there is no telling what is asked.
    pub(super) fn read(wire: Wire, body: &[u8]) -> Result<Self, String> {
        let text =
            std::str::from_utf8(body).map_err(|error| format!("the body is no UTF-8: {error}"))?;
        let members: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("the body is no JSON object: {error}"))?;
        let messages = messages(members.get("messages"))?;
        let parts = match wire {
            Wire::OpenAi => openai(&members),
            Wire::Ollama => ollama(&members),
        };
        let form = match &parts.schema {
            None => Form::Text,
            Some(schema) => Form::of(schema).ok_or("the schema is none of the known forms")?,
        };
        Ok(Self {
            wire,
            form,
            model: members.get("model").cloned().unwrap_or_default(),
            messages,
            // Ollama streams unless it is told not to; OpenAI does not unless it is told to.
            stream: members.get("stream").and_then(Value::as_bool).unwrap_or(wire == Wire::Ollama),
            temperature: parts.temperature,
            max_tokens: parts.max_tokens,
            context_tokens: parts.context_tokens,
            schema: parts.schema,
            schema_name: parts.schema_name,
            strange: parts.strange,
            body: text.to_owned(),
        })
    }

    /// The role that the system message speaks to: `You are the <role> of …`.
    pub(super) fn role(&self) -> Option<Role> {
        let system = self.messages.first().filter(|it| it.by == "system")?;
        system.text.strip_prefix("You are the ")?.split_whitespace().next()?.parse().ok()
    }
}

fn messages(given: Option<&Value>) -> Result<Vec<Said>, String> {
    let list = given.and_then(Value::as_array).ok_or("`messages` is no list")?;
    let said = |it: &Value| {
        let text = |member: &str| it.get(member).and_then(Value::as_str).map(str::to_owned);
        Some(Said { by: text("role")?, text: text("content")? })
    };
    let read = list.iter().map(said).collect::<Option<Vec<_>>>();
    read.ok_or_else(|| "a message has no role or no content".to_owned())
}

/// What the formats say in different ways.
struct Parts {
    temperature: Option<f64>,
    max_tokens: Option<u64>,
    context_tokens: Option<u64>,
    schema: Option<Value>,
    schema_name: Option<(String, bool)>,
    strange: Vec<String>,
}

fn openai(members: &Map<String, Value>) -> Parts {
    const KNOWN: [&str; 7] = [
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "max_tokens",
        "response_format",
    ];
    let mut strange = strangers(members, &KNOWN);
    let format = members.get("response_format");
    if let Some(kind) = format.map(|it| &it["type"])
        && kind != "json_schema"
    {
        strange.push(format!("response_format of type {kind}"));
    }
    let described = format.map(|it| &it["json_schema"]);
    Parts {
        temperature: members.get("temperature").and_then(Value::as_f64),
        max_tokens: members.get("max_tokens").and_then(Value::as_u64),
        context_tokens: None,
        schema: described.map(|it| it["schema"].clone()),
        schema_name: described.map(|it| {
            let name = it["name"].as_str().unwrap_or_default().to_owned();
            (name, it["strict"] == true)
        }),
        strange,
    }
}

fn ollama(members: &Map<String, Value>) -> Parts {
    const KNOWN: [&str; 5] = ["model", "messages", "stream", "options", "format"];
    const OPTIONS: [&str; 3] = ["num_predict", "temperature", "num_ctx"];
    let mut strange = strangers(members, &KNOWN);
    let empty = Map::new();
    let options = members.get("options").and_then(Value::as_object).unwrap_or(&empty);
    strange.extend(strangers(options, &OPTIONS));
    Parts {
        temperature: options.get("temperature").and_then(Value::as_f64),
        max_tokens: options.get("num_predict").and_then(Value::as_u64),
        context_tokens: options.get("num_ctx").and_then(Value::as_u64),
        schema: members.get("format").cloned(),
        schema_name: None,
        strange,
    }
}

fn strangers(members: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    members.keys().filter(|it| !known.contains(&it.as_str())).cloned().collect()
}
