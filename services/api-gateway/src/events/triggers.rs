//! What an event asks for. The rules are those by which GitHub's own events start work.

use domain::{
    limits::TRIGGER_CHARS,
    role::Role,
    task::Priority,
    trigger::{EventKind, Source, Trigger, Work},
};

use super::create::{EventBody, Outcome};

/// Labels of an issue that ask for the whole team.
const TASK_LABELS: [&str; 2] = ["ai-task", "auto-task"];

/// The trigger of an event, or why nothing follows.
pub(super) fn trigger(event: EventBody) -> Result<Trigger, &'static str> {
    let (work, priority) = match event.kind {
        EventKind::Issue => (issue(&event), Priority::NORMAL),
        EventKind::Push | EventKind::Scheduled => (Work::Single(Role::Architect), Priority::NORMAL),
        EventKind::CiStatus => (check(event.conclusion.or(event.status))?, Priority::REGRESSION),
    };
    Ok(Trigger {
        source: Source::Event { event: event.kind },
        title: event.title.clone().unwrap_or_else(|| title(&event)),
        body: shortened(event.body.unwrap_or_default()),
        repository: event.repository,
        base_ref: event.r#ref,
        url: event.url,
        priority,
        work,
    })
}

/// Opened, reopened or labelled as a task: the team; else whoever deals with issues in this state.
fn issue(event: &EventBody) -> Work {
    let action = event.action.as_deref().unwrap_or("opened");
    let labels = event.labels.as_deref().unwrap_or_default();
    let is_task = labels.iter().any(|label| TASK_LABELS.contains(&label.as_str()));
    match action {
        "opened" | "reopened" | "labeled" if is_task => Work::Grow,
        "opened" | "reopened" => Work::Single(Role::Architect),
        "closed" => Work::Single(Role::Maintainer),
        _ => Work::Single(Role::Implementer),
    }
}

fn check(outcome: Option<Outcome>) -> Result<Work, &'static str> {
    match outcome {
        Some(
            Outcome::Failure
            | Outcome::Error
            | Outcome::TimedOut
            | Outcome::StartupFailure
            | Outcome::ActionRequired,
        ) => Ok(Work::Single(Role::Tester)),
        Some(Outcome::Success | Outcome::Neutral) => Err("the checks passed"),
        Some(Outcome::Cancelled | Outcome::Skipped | Outcome::Stale) => {
            Err("the checks were not run to their end")
        }
        Some(Outcome::Pending | Outcome::Queued | Outcome::InProgress) => {
            Err("the checks have not ended")
        }
        Some(Outcome::Completed) | None => Err("the event does not say how the checks ended"),
    }
}

fn title(event: &EventBody) -> String {
    let what = match event.kind {
        EventKind::Issue => "Look at an issue",
        EventKind::Push => "Look at a push",
        EventKind::Scheduled => "Look at the state of the code",
        EventKind::CiStatus => "Find out why the checks failed",
    };
    let place = event
        .repository
        .as_deref()
        .map(|repository| format!(" of {repository}"))
        .unwrap_or_default();
    let at = event.r#ref.as_deref().map(|name| format!(" at {name}")).unwrap_or_default();
    format!("{what}{place}{at}")
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TRIGGER_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(event: Value, expected: &str) {
        let outcome = match trigger(serde_json::from_value(event.clone()).unwrap()) {
            Ok(Trigger { work: Work::Grow, .. }) => "grow".to_owned(),
            Ok(Trigger { work: Work::Single(role), priority, .. }) => {
                format!("{role} at {}", priority.get())
            }
            Err(reason) => format!("skipped: {reason}"),
        };
        assert_eq!(outcome, expected, "{event}");
    }

    #[test]
    fn an_event_is_for_whoever_deals_with_its_kind() {
        check(json!({"kind": "PUSH"}), "architect at 5");
        check(json!({"kind": "SCHEDULED"}), "architect at 5");
        check(json!({"kind": "ISSUE"}), "architect at 5");
        check(json!({"kind": "ISSUE", "action": "reopened"}), "architect at 5");
        check(json!({"kind": "ISSUE", "action": "closed"}), "maintainer at 5");
        check(json!({"kind": "ISSUE", "action": "assigned"}), "implementer at 5");
    }

    #[test]
    fn an_issue_that_is_labelled_as_a_task_is_for_the_team() {
        check(json!({"kind": "ISSUE", "labels": ["bug", "ai-task"]}), "grow");
        check(json!({"kind": "ISSUE", "action": "labeled", "labels": ["auto-task"]}), "grow");
        check(
            json!({"kind": "ISSUE", "action": "closed", "labels": ["ai-task"]}),
            "maintainer at 5",
        );
        check(json!({"kind": "ISSUE", "action": "labeled", "labels": ["bug"]}), "implementer at 5");
    }

    #[test]
    fn only_red_checks_start_work() {
        check(json!({"kind": "CI_STATUS", "conclusion": "failure"}), "tester at 2");
        check(json!({"kind": "CI_STATUS", "status": "error"}), "tester at 2");
        check(
            json!({"kind": "CI_STATUS", "status": "completed", "conclusion": "timed_out"}),
            "tester at 2",
        );
        check(json!({"kind": "CI_STATUS", "conclusion": "success"}), "skipped: the checks passed");
        check(
            json!({"kind": "CI_STATUS", "conclusion": "cancelled"}),
            "skipped: the checks were not run to their end",
        );
        check(
            json!({"kind": "CI_STATUS", "status": "in_progress"}),
            "skipped: the checks have not ended",
        );
        check(json!({"kind": "CI_STATUS"}), "skipped: the event does not say how the checks ended");
    }

    #[test]
    fn a_title_is_made_where_none_is_given_and_a_long_body_is_cut() {
        let event = json!({"kind": "CI_STATUS", "status": "failure", "repository": "o/n", "ref": "main", "body": "é".repeat(40_000)});
        let trigger = trigger(serde_json::from_value(event).unwrap()).unwrap();
        assert_eq!(trigger.title, "Find out why the checks failed of o/n at main");
        assert_eq!(trigger.body.chars().count(), TRIGGER_CHARS + 1);
    }
}
