//! The stub's answers: valid in form, and the same for the same assignment.

use domain::outputs::{
    AgentResponse, ChangeSet, Continuity, Decision, Deliverable, Disposal, FileAction, FileChange,
    Plan, ResponseContext, ResponseStatus, Review, Strategy, Subtask, TestReport, Verdict,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::NOTE;
use crate::{AnswerForm, Assignment, settings::ResponseFormat};

/// Characters of the goal that an answer repeats.
const ECHO_CHARS: usize = 200;

pub(super) fn answer(assignment: &Assignment, format: ResponseFormat) -> Value {
    let echo = echo(&assignment.description);
    match assignment.answer {
        AnswerForm::Plan => value(&plan(assignment, &echo)),
        AnswerForm::ChangeSet => value(&change_set(assignment, &echo)),
        AnswerForm::Review => value(&Review {
            verdict: Verdict::Approve,
            summary: "The stub approves everything.".to_owned(),
            comments: Vec::new(),
        }),
        AnswerForm::TestReport => value(&TestReport {
            commands: Vec::new(),
            passed: true,
            failures: Vec::new(),
            coverage: None,
            summary: "The stub ran no command.".to_owned(),
        }),
        AnswerForm::Decision => value(&Decision {
            decision: Disposal::OpenPr,
            reasons: vec![
                "The stub leaves the decision to whoever reads the pull request.".to_owned(),
            ],
        }),
        AnswerForm::Free => match format {
            ResponseFormat::Text => json!({ "text": format!("Stub answer to: {echo}") }),
            ResponseFormat::StructuredJson => value(&response(assignment, echo)),
        },
    }
}

fn plan(assignment: &Assignment, echo: &str) -> Plan {
    Plan {
        summary: format!("Stub plan for: {echo}"),
        subtasks: vec![Subtask {
            title: echo.lines().next().unwrap_or_default().chars().take(80).collect(),
            description: echo.to_owned(),
            scope_paths: vec![path(assignment)],
            depends_on: Vec::new(),
            acceptance: vec!["The file is there.".to_owned()],
        }],
        risks: vec![NOTE.to_owned()],
        needs_human: false,
    }
}

fn change_set(assignment: &Assignment, echo: &str) -> ChangeSet {
    ChangeSet {
        summary: format!("Record the goal: {}", echo.lines().next().unwrap_or_default()),
        changes: vec![FileChange {
            path: path(assignment),
            action: FileAction::Write,
            content: format!(
                "# Written by the stub executor\n\nNo model was asked. The goal was:\n\n{echo}\n"
            ),
        }],
    }
}

fn response(assignment: &Assignment, echo: String) -> AgentResponse {
    let mut metadata = Map::new();
    metadata.insert("executor".to_owned(), json!("stub"));
    metadata.insert("role".to_owned(), json!(assignment.role));
    AgentResponse {
        status: ResponseStatus::Completed,
        interpretation: echo,
        context: ResponseContext::default(),
        strategy: Strategy {
            summary: "None: the stub answers at once.".to_owned(),
            steps: Vec::new(),
        },
        deliverable: Deliverable {
            summary: "Nothing was made.".to_owned(),
            artifacts: Vec::new(),
            notes: vec![NOTE.to_owned()],
        },
        continuity: Continuity::default(),
        risks: Vec::new(),
        confidence: 0.0,
        metadata,
    }
}

/// A file of the run's own, so that two runs never write the same one.
fn path(assignment: &Assignment) -> String {
    // The end of a version 7 id is its random part.
    let id = assignment.run_id.as_uuid().simple().to_string();
    format!("orchestrator/{}.md", &id[id.len() - 12..])
}

/// The goal's beginning, without characters that hide something or that a database cannot hold.
fn echo(description: &str) -> String {
    let kept = |it: &char| !it.is_control() || *it == '\n';
    description.trim().chars().filter(kept).take(ECHO_CHARS).collect()
}

fn value(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("answers are plain structs with string keys")
}
