//! What is wrong with a request.

use domain::role::Role;
use serde_json::Value;

use super::{Form, Request, Wire};

/// What every request must say, and what none may.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The one model that there is.
    pub model: String,
    /// The bearer token that must come with every request; none must come without.
    pub api_key: Option<String>,
    pub temperature: f64,
    pub max_tokens: u64,
    /// Secrets that no model may be told.
    pub canaries: Vec<String>,
}

impl Expected {
    /// A model with the settings' default bounds.
    pub fn of(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            api_key: None,
            temperature: 0.2,
            max_tokens: 800,
            canaries: Vec::new(),
        }
    }
}

/// A sentence for everything that is wrong with a request.
pub(super) fn inspect(
    request: &Request,
    authorization: Option<&str>,
    expected: &Expected,
) -> Vec<String> {
    let mut wrong: Vec<_> = request
        .strange
        .iter()
        .map(|it| format!("it has the member {it}, which nobody knows"))
        .collect();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    must(request.model == expected.model.as_str(), format!("the model is {}", request.model));
    let bearer = expected.api_key.as_ref().map(|key| format!("Bearer {key}"));
    must(
        authorization == bearer.as_deref(),
        "it does not come with the key that it should".to_owned(),
    );
    must(
        request.temperature == Some(expected.temperature),
        format!("the temperature is {:?}", request.temperature),
    );
    must(
        request.max_tokens == Some(expected.max_tokens),
        format!("the limit of tokens is {:?}", request.max_tokens),
    );
    if request.wire == Wire::Ollama {
        let context = request.context_tokens;
        must(
            context.is_some_and(|it| it > expected.max_tokens),
            format!("the context is {context:?}: Ollama would cut the prompt silently"),
        );
    }
    for canary in &expected.canaries {
        must(!request.body.contains(canary.as_str()), "it tells a secret".to_owned());
    }
    wrong.extend(conversation(request));
    wrong.extend(form(request));
    wrong
}

/// A system message, then a user's, then answers and what was wrong with them.
fn conversation(request: &Request) -> Vec<String> {
    let mut wrong = Vec::new();
    let by: Vec<_> = request.messages.iter().map(|it| it.by.as_str()).collect();
    let mut turns = by.iter().skip(1).enumerate();
    let alternates =
        turns.all(|(index, it)| *it == if index % 2 == 0 { "user" } else { "assistant" });
    if by.first() != Some(&"system") || by.len() % 2 != 0 || !alternates {
        wrong.push(format!("the messages are by {by:?}"));
    }
    if request.messages.iter().any(|it| it.text.trim().is_empty()) {
        wrong.push("a message is empty".to_owned());
    }
    if !request.messages.get(1).is_some_and(|it| it.text.contains("⟦data 1: goal")) {
        wrong.push("the goal is not marked as data".to_owned());
    }
    wrong
}

/// The form fits the role, and its schema can be held to.
fn form(request: &Request) -> Vec<String> {
    let mut wrong = Vec::new();
    let by = match request.form {
        Form::Plan => Some(Role::Architect),
        Form::ChangeSet => Some(Role::Implementer),
        Form::Review => Some(Role::Reviewer),
        Form::TestReport => Some(Role::Tester),
        Form::Decision => Some(Role::Maintainer),
        Form::AgentResponse | Form::Text => None,
    };
    let role = request.role();
    if role.is_none() || (by.is_some() && role != by) {
        wrong.push(format!("a {} is asked of {role:?}", request.form));
    }
    if let Some((name, strict)) = &request.schema_name
        && (name != request.form.name() || !strict)
    {
        wrong.push(format!("the schema is named {name}, strict: {strict}"));
    }
    if let Some(schema) = &request.schema {
        if let Err(error) = jsonschema::meta::validate(schema) {
            wrong.push(format!("the schema is no JSON Schema: {error}"));
        }
        wrong.extend(open_ends(schema, "the schema"));
    }
    wrong
}

/// Where a schema lets an answer go on for ever, or leaves open what it may hold.
fn open_ends(schema: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    if schema.get("$ref").is_some() {
        found.push(format!("{at} refers elsewhere, which servers do not follow"));
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let required = schema["required"].as_array().map_or(0, Vec::len);
        if schema["additionalProperties"] != false || required != properties.len() {
            found.push(format!("{at} is an open object"));
        }
        found.extend(
            properties.iter().flat_map(|(name, it)| open_ends(it, &format!("{at}/{name}"))),
        );
    }
    if let Some(items) = schema.get("items") {
        if schema.get("maxItems").and_then(Value::as_u64).is_none() {
            found.push(format!("{at} is a list without an end"));
        }
        found.extend(open_ends(items, &format!("{at}/items")));
    }
    found
}

/// Whether an answer of the script fits the schema that it answers; if not, the script is wrong.
pub(super) fn answer(answer: &Value, schema: Option<&Value>) -> Option<String> {
    let validator = jsonschema::validator_for(schema?).ok()?;
    let error = validator.validate(answer).err()?;
    Some(format!("the script's answer does not fit the schema: {error}"))
}
