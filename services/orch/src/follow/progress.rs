//! What is said while a run goes on: JSON lines for machines, a spinner above plain lines on a terminal, plain lines elsewhere.

use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    time::Duration,
};

use chrono::{DateTime, Local};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    output::Output,
    view::{some_text, text, time},
};

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// See the module.
pub(super) struct Progress {
    output: Output,
    spinner: Option<ProgressBar>,
    /// What each task is called, by its id.
    tasks: HashMap<String, String>,
}

impl Progress {
    pub(super) fn start(output: Output) -> Self {
        let spinner = (!output.is_json() && io::stderr().is_terminal()).then(spinner);
        Self { output, spinner, tasks: HashMap::new() }
    }

    /// Shows an event of the run's history.
    pub(super) fn event(&mut self, event: &Value) -> Result<(), Failure> {
        if self.output.is_json() {
            let mut line = json!({ "type": "event" });
            if let (Some(line), Some(event)) = (line.as_object_mut(), event.as_object()) {
                line.extend(event.clone());
            }
            return self.output.line(line);
        }
        self.learn(event);
        if let Some(sentence) = self.sentence(event) {
            let at = time(event, "/at").map_or_else(Local::now, DateTime::<Local>::from);
            self.print(&format!("{}  {sentence}", at.format("%H:%M:%S")));
        }
        if let (Some(spinner), Some("task.started")) = (&self.spinner, event["kind"].as_str()) {
            spinner.set_message(self.name(event));
        }
        Ok(())
    }

    /// Says something that is no event.
    pub(super) fn say(&self, sentence: &str) {
        if !self.output.is_json() {
            self.print(&format!("{}  {sentence}", Local::now().format("%H:%M:%S")));
        }
    }

    /// Clears what moves.
    pub(super) fn finish(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    fn print(&self, line: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| self.output.note(line)),
            None => self.output.note(line),
        }
    }

    fn learn(&mut self, event: &Value) {
        if let (Some("task.created"), Some(id)) = (event["kind"].as_str(), event["taskId"].as_str())
        {
            let name = match text(event, "/data/kind").as_str() {
                "single" => format!("task of the {}", text(event, "/data/role")),
                kind => format!("{kind} by the {}", text(event, "/data/role")),
            };
            self.tasks.insert(id.to_owned(), name);
        }
    }

    fn name(&self, event: &Value) -> String {
        let id = event["taskId"].as_str().unwrap_or_default();
        self.tasks.get(id).cloned().unwrap_or_else(|| format!("task {id}"))
    }

    /// What happened, if it is worth a line; how the run ends is told by the summary.
    fn sentence(&self, event: &Value) -> Option<String> {
        let name = self.name(event);
        let why = || {
            format!("{}: {}", text(event, "/data/error/code"), text(event, "/data/error/message"))
        };
        Some(match event["kind"].as_str()? {
            "run.paused" => "the run is paused".to_owned(),
            "run.resumed" => "the run goes on".to_owned(),
            "run.waiting" => "the run waits for a person or for CI".to_owned(),
            "run.reopened" => "the run lives again".to_owned(),
            "task.started" => match event["attempt"].as_i64() {
                Some(attempt) if attempt > 1 => format!("{name} started, attempt {attempt}"),
                Some(_) | None => format!("{name} started"),
            },
            "task.completed" => {
                match event.pointer("/data/usage/tokensOut").and_then(Value::as_i64) {
                    Some(tokens) if tokens > 0 => {
                        format!("{name} completed, {tokens} tokens written")
                    }
                    Some(_) | None => format!("{name} completed"),
                }
            }
            "task.retrying" => {
                let seconds =
                    event.pointer("/data/afterMs").and_then(Value::as_f64).unwrap_or_default()
                        / 1_000.0;
                format!("{name} failed ({}); another attempt in {seconds:.1} s", why())
            }
            "task.failed" => format!("{name} failed for good ({})", why()),
            "task.cancelled" => match some_text(event, "/data/reason") {
                Some(reason) => format!("{name} cancelled ({reason})"),
                None => format!("{name} cancelled"),
            },
            "task.handed_back" => format!("{name} was given back by a worker that stops"),
            "task.lease_expired" => format!("{name} lost its worker and is taken up again"),
            "task.replayed" | "task.revived" => format!("{name} is taken up again"),
            _ => return None,
        })
    }
}

fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    spinner.set_style(style.unwrap_or_else(|_malformed| ProgressStyle::default_spinner()));
    spinner.set_message("waiting for a worker");
    spinner.enable_steady_tick(TICK);
    spinner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_sentences() {
        let mut progress =
            Progress { output: Output::new(false), spinner: None, tasks: HashMap::new() };
        let mut check = |event: Value, expected: Option<&str>| {
            progress.learn(&event);
            assert_eq!(progress.sentence(&event).as_deref(), expected, "{event}");
        };
        let event = |kind: &str, data: Value| json!({ "kind": kind, "taskId": "7", "attempt": 1, "data": data });
        check(event("task.started", json!({})), Some("task 7 started"));
        check(event("task.created", json!({ "role": "implementer", "kind": "implement" })), None);
        check(event("task.started", json!({})), Some("implement by the implementer started"));
        check(
            event(
                "task.retrying",
                json!({ "error": { "code": "c", "message": "m" }, "afterMs": 1_500 }),
            ),
            Some("implement by the implementer failed (c: m); another attempt in 1.5 s"),
        );
        check(
            json!({ "kind": "task.started", "taskId": "7", "attempt": 2, "data": {} }),
            Some("implement by the implementer started, attempt 2"),
        );
        check(
            event("task.completed", json!({ "usage": { "tokensOut": 12 } })),
            Some("implement by the implementer completed, 12 tokens written"),
        );
        check(
            event("task.cancelled", json!({ "reason": "requested" })),
            Some("implement by the implementer cancelled (requested)"),
        );
        check(json!({ "kind": "run.completed", "data": {} }), None);
    }
}
