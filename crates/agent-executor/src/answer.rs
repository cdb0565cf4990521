//! The form of an answer: what a model is held to, and how its text is read.
//!
//! One schema per form, made from the types in [`domain::outputs`], in three views:
//! - the *form*, as the types say it: an answer is validated against it, then read into the type;
//! - the *bounded* form ([`mod@bounds`]): every text and list has a length, so that even a model that never stops comes to an
//!   end within its tokens. A server that decodes under constraints is given this one;
//! - the *outline* ([`mod@outline`]): a few lines for the prompt.
//!
//! A longer answer than the bounds say is a valid one: a capable model without constraints has not done wrong.

mod bounds;
mod extract;
mod form;
mod outline;

use domain::outputs::{AgentResponse, ChangeSet, Decision, Plan, Review, TestReport};
use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{AnswerForm, settings::ResponseFormat};
pub(crate) use bounds::Fit;
use form::Form;

/// Complaints about one answer that are fed back.
const COMPLAINTS: usize = 8;
/// Characters of one complaint; some repeat the whole value that they are about.
const COMPLAINT_CHARS: usize = 160;

/// An answer that is valid in its form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) output: Value,
    pub(crate) notes: Vec<String>,
}

/// The schema that a server should hold its model to, for an answer of about `chars` characters. None for plain text.
pub(crate) fn schema(
    answer: AnswerForm,
    format: ResponseFormat,
    chars: usize,
    fit: Fit,
) -> Option<llm::Schema> {
    let form = Form::of(answer, format)?;
    Some(llm::Schema {
        name: form.name.to_owned(),
        value: bounds::bounded(&form.schema, chars, fit),
    })
}

/// A sentence for each text of `output` that probably ends where the schema's bound cut it.
pub(crate) fn perhaps_cut(schema: &llm::Schema, output: &Value) -> Vec<String> {
    let places = bounds::perhaps_cut(&schema.value, output, "");
    places
        .iter()
        .map(|it| format!("{it} is exactly as long as it may be: its end may be missing"))
        .collect()
}

/// What the prompt says of the form. None for plain text.
pub(crate) fn outline(answer: AnswerForm, format: ResponseFormat) -> Option<String> {
    Form::of(answer, format).map(|form| outline::outline(&form.schema))
}

/// Reads an answer, or says what is wrong with it in words that the model can act on.
pub(crate) fn read(
    answer: AnswerForm,
    format: ResponseFormat,
    text: &str,
) -> Result<Answer, Vec<String>> {
    let Some(form) = Form::of(answer, format) else {
        return match text.trim() {
            "" => Err(vec!["the answer is empty".to_owned()]),
            text => Ok(Answer { output: json!({ "text": storable(text) }), notes: Vec::new() }),
        };
    };
    let value = extract::object(text).ok_or_else(|| {
        vec!["the answer holds no JSON object that can be read to its end".to_owned()]
    })?;
    let complaints: Vec<_> = form
        .validator
        .iter_errors(&value)
        .take(COMPLAINTS)
        .map(|error| complaint(&error.instance_path().to_string(), &reason(&error)))
        .collect();
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let mut notes = Vec::new();
    let output = match answer {
        AnswerForm::Plan => {
            typed::<Plan>(value, |plan| notes = plan.drop_impossible_dependencies())
        }
        AnswerForm::ChangeSet => typed::<ChangeSet>(value, |_| {}),
        AnswerForm::Review => typed::<Review>(value, |_| {}),
        AnswerForm::TestReport => typed::<TestReport>(value, |_| {}),
        AnswerForm::Decision => typed::<Decision>(value, |_| {}),
        AnswerForm::Free => typed::<AgentResponse>(value, |_| {}),
    }?;
    Ok(Answer { output, notes })
}

/// `value` through its type and back, so that what is stored is what the type says.
fn typed<T: DeserializeOwned + Serialize>(
    value: Value,
    mend: impl FnOnce(&mut T),
) -> Result<Value, Vec<String>> {
    let in_words = |error: serde_json::Error| vec![complaint("", &error.to_string())];
    let mut answer: T = serde_json::from_value(value).map_err(in_words)?;
    mend(&mut answer);
    serde_json::to_value(answer).map(without_nul).map_err(in_words)
}

/// What is wrong, in the validator's words; a list of names is told whole.
fn reason(error: &ValidationError<'_>) -> String {
    if let ValidationErrorKind::Enum { options } = error.kind() {
        format!("it is none of {options}")
    } else {
        error.to_string()
    }
}

fn complaint(place: &str, what: &str) -> String {
    let place = if place.is_empty() { "the object" } else { place };
    let line = format!("at {place}: {what}");
    if line.chars().count() <= COMPLAINT_CHARS {
        return line;
    }
    // The reason is at the end, the value that it is about before it.
    let tail: String =
        what.chars().skip(what.chars().count().saturating_sub(COMPLAINT_CHARS)).collect();
    format!("at {place}: …{tail}")
}

/// Postgres can hold NUL neither in text nor in JSON.
fn storable(text: &str) -> String {
    text.replace('\0', "␀")
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(&text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (storable(&key), without_nul(value))).collect()
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

#[cfg(test)]
mod tests;
