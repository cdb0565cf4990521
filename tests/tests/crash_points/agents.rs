//! What the model answers: what the words of a task ask for.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use e2e::model_server::{Expected, Form, ModelServer, Said, Step};
use serde_json::{Value, json};

pub(crate) const MODEL: &str = "scripted-1";

/// In a description: every request fails.
pub(crate) const FAIL_ALWAYS: &str = "fail-always";
/// The first request fails.
pub(crate) const FAIL_ONCE: &str = "fail-once";
/// The first request is never answered.
pub(crate) const HANG_ONCE: &str = "hang-once";
/// No request is ever answered.
pub(crate) const HANG_ALWAYS: &str = "hang-always";

/// What the titles of issues begin with.
pub(crate) const TITLE: &str = "Greet in round";

/// A model server for any number of tasks.
pub(crate) fn start() -> ModelServer {
    let known = Mutex::new(HashSet::new());
    let changes = AtomicU32::new(0);
    let answer = move |form: Form, messages: &[Said]| {
        let asked = messages.last().map(|it| it.text.clone()).unwrap_or_default();
        let what = if form == Form::Review { title(&asked) } else { &asked };
        let first = known.lock().unwrap_or_else(PoisonError::into_inner).insert(what.to_owned());
        match form {
            Form::Plan => Step::Answer(plan()),
            Form::ChangeSet => Step::Answer(change(changes.fetch_add(1, Ordering::Relaxed))),
            Form::Review if first => Step::Answer(objection()),
            Form::Review => Step::Answer(approval()),
            Form::Decision => {
                Step::Answer(json!({ "decision": "open_pr", "reasons": ["It is approved."] }))
            }
            Form::Text | Form::TestReport | Form::AgentResponse => to_text(&asked, first),
        }
    };
    ModelServer::answering(Expected::of(MODEL), answer).unwrap()
}

fn to_text(asked: &str, first: bool) -> Step {
    if asked.contains(FAIL_ALWAYS) || first && asked.contains(FAIL_ONCE) {
        return Step::Refuse { status: 500, retry_after: None };
    }
    if asked.contains(HANG_ALWAYS) || first && asked.contains(HANG_ONCE) {
        return Step::Hang;
    }
    Step::Say("Done.".to_owned())
}

/// The line of a prompt that says which issue it is about: the first review for an issue has something to object to.
fn title(asked: &str) -> &str {
    asked.lines().find(|it| it.contains(TITLE)).unwrap_or(asked)
}

fn plan() -> Value {
    json!({
        "summary": "Greet the world.",
        "subtasks": [{
            "title": "Greeting",
            "description": "Change the greeting.",
            "scopePaths": ["src/greet.txt"],
            "dependsOn": [],
            "acceptance": ["It says world."],
        }],
        "risks": [],
        "needsHuman": false,
    })
}

fn change(number: u32) -> Value {
    json!({
        "summary": format!("Greet {number}"),
        "changes": [{
            "path": "src/greet.txt", "action": "write", "content": format!("Greetings {number}\n"),
        }],
    })
}

fn objection() -> Value {
    let comment =
        json!({ "path": "src/greet.txt", "line": 1, "severity": "major", "body": "Punctuate." });
    json!({ "verdict": "request_changes", "summary": "Nearly.", "comments": [comment] })
}

fn approval() -> Value {
    json!({ "verdict": "approve", "summary": "It does what was asked.", "comments": [] })
}
