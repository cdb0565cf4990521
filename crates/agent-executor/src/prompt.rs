//! Everything that we say to a model.
//!
//! The words are in `prompt/fragments`, one file each. What others wrote (goals, files, diffs, feedback, payloads) comes after
//! them as numbered data with its origin, in marks that no data can forge ([`untrusted`]), cut to fit ([`fit`]).

mod fit;
mod untrusted;

use std::sync::Arc;

use domain::role::Role;
use serde_json::Value;

use crate::{Assignment, ContextPart, Origin};

const RULES: &str = include_str!("prompt/fragments/rules.md");
const ANSWER_JSON: &str = include_str!("prompt/fragments/answer_json.md");
const ANSWER_TEXT: &str = include_str!("prompt/fragments/answer_text.md");
const BEGIN: &str = include_str!("prompt/fragments/begin.md");
const REPAIR: &str = include_str!("prompt/fragments/repair.md");
const TOO_LONG: &str = include_str!("prompt/fragments/too_long.md");

/// Characters of a bad answer that are shown to the model again.
const BAD_ANSWER_CHARS: usize = 1_200;

/// A conversation's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) system: Arc<str>,
    pub(crate) user: Arc<str>,
    /// What was cut or left out, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// What to say for an assignment, in about `max` bytes, the room for data halved `halvings` times.
pub(crate) fn prompt(
    assignment: &Assignment,
    outline: Option<&str>,
    max: usize,
    halvings: u32,
) -> Prompt {
    let answer = match outline {
        Some(outline) => ANSWER_JSON.replace("{outline}", outline),
        None => ANSWER_TEXT.to_owned(),
    };
    let system = [role(assignment.role), RULES, &answer].map(str::trim).join("\n\n");
    let parts = parts(assignment);
    let room = max.saturating_sub(system.len() + BEGIN.len()) >> halvings;
    let (parts, notes) = fit::fit(parts, room);
    let mut user: String =
        parts.iter().enumerate().map(|(index, part)| untrusted::marked(index + 1, part)).collect();
    user.push_str(BEGIN.trim());
    Prompt { system: system.into(), user: user.into(), notes }
}

/// What to show of an answer that will not do.
pub(crate) fn bad_answer(text: &str) -> String {
    domain::transcript::shortened(text, BAD_ANSWER_CHARS)
}

/// What to say about an answer that is not valid.
pub(crate) fn repair(complaints: &[String]) -> String {
    let list: String = complaints.iter().map(|it| format!("- {it}\n")).collect();
    REPAIR.replace("{complaints}", list.trim_end()).trim().to_owned()
}

/// What to say about an answer that the limit of tokens cut off.
pub(crate) fn too_long() -> String {
    TOO_LONG.trim().to_owned()
}

/// Who the model is, and what is its part.
fn role(role: Role) -> &'static str {
    match role {
        Role::Architect => include_str!("prompt/fragments/architect.md"),
        Role::Implementer => include_str!("prompt/fragments/implementer.md"),
        Role::Reviewer => include_str!("prompt/fragments/reviewer.md"),
        Role::Tester => include_str!("prompt/fragments/tester.md"),
        Role::Maintainer => include_str!("prompt/fragments/maintainer.md"),
    }
}

/// The task itself, its payload, and what else there is to know.
fn parts(assignment: &Assignment) -> Vec<ContextPart> {
    let goal = ContextPart {
        origin: Origin::Goal,
        title: "the task".to_owned(),
        text: assignment.description.clone(),
    };
    let mut parts = vec![goal];
    parts.extend(payload(&assignment.payload));
    parts.extend(assignment.context.iter().cloned());
    parts.into_iter().map(untrusted::escaped).collect()
}

/// The payload, unless there is nothing in it; without what is for the stub.
fn payload(payload: &Value) -> Option<ContextPart> {
    let mut shown = payload.clone();
    if let Some(members) = shown.as_object_mut() {
        members.remove("stub");
    }
    let empty = match &shown {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    };
    if empty {
        return None;
    }
    let text = serde_json::to_string_pretty(&shown).unwrap_or_else(|_| shown.to_string());
    Some(ContextPart { origin: Origin::Payload, title: "the task's payload".to_owned(), text })
}

#[cfg(test)]
mod tests;
