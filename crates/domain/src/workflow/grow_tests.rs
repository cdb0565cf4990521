use chrono::DateTime;

use super::*;
use crate::{
    ids::{RunId, TaskId},
    outputs::Subtask,
    run::{Budget, RunFacts},
    task::{Priority, Usage},
    workflow::{Workflow, after},
};

fn plan(subtasks: usize) -> Plan {
    let subtask = Subtask {
        title: "say hello".to_owned(),
        description: "write hello.txt".to_owned(),
        scope_paths: vec!["hello.txt".to_owned()],
        depends_on: Vec::new(),
        acceptance: Vec::new(),
    };
    Plan {
        summary: "greet".to_owned(),
        subtasks: vec![subtask; subtasks],
        risks: Vec::new(),
        needs_human: false,
    }
}

fn change() -> Implemented {
    Implemented {
        commit: "c0ffee".to_owned(),
        branch: "orchestrator/x".to_owned(),
        summary: "hello".to_owned(),
        files: vec!["hello.txt".to_owned()],
    }
}

fn review(verdict: Verdict) -> Review {
    Review { verdict, summary: "hm".to_owned(), comments: Vec::new() }
}

fn task(kind: TaskKind, payload: Value, max_rounds: Option<i32>) -> ClaimedTask {
    ClaimedTask {
        id: TaskId::new(),
        run_id: RunId::new(),
        role: Role::Architect,
        kind,
        description: "greet".to_owned(),
        payload,
        priority: Priority::BUG,
        attempt: 1,
        max_attempts: 4,
        fence: 1,
        created_at: DateTime::UNIX_EPOCH,
        queued_at: DateTime::UNIX_EPOCH,
        claimed_at: DateTime::UNIX_EPOCH,
        run: RunFacts {
            workflow: Workflow::Grow,
            goal: "greet".to_owned(),
            repository: Some("o/r".to_owned()),
            base_ref: None,
            base_commit: None,
            branch: None,
            head_commit: None,
            budget: Budget { max_rounds, ..Budget::default() },
            usage: Usage::default(),
        },
    }
}

/// Compares what follows, in words: the tasks as `role kind round`, or the run's end.
#[track_caller]
fn check(task: &ClaimedTask, output: &StepOutput, expected: &str) {
    let next = after(task, output).unwrap();
    let mut said: Vec<String> = next
        .follow_ups
        .iter()
        .map(|task| match task.payload.get("round") {
            Some(round) => format!("{} {} round {round}", task.role, task.kind),
            None => format!("{} {}", task.role, task.kind),
        })
        .collect();
    if let Some(end) = next.end {
        said.push(format!("{}: {}", end.status, end.outcome["decision"].as_str().unwrap()));
    }
    assert_eq!(said.join(", "), expected);
    assert!(next.follow_ups.iter().all(|follow_up| follow_up.priority == Priority::BUG));
}

fn implementing(round: i32, max_rounds: Option<i32>) -> ClaimedTask {
    let input = ImplementInput { plan: plan(1), round, feedback: Vec::new() };
    task(TaskKind::Implement, serde_json::to_value(input).unwrap(), max_rounds)
}

fn reviewing(round: i32, max_rounds: Option<i32>) -> ClaimedTask {
    let input = ReviewInput { plan: plan(1), round, change: change() };
    task(TaskKind::Review, serde_json::to_value(input).unwrap(), max_rounds)
}

#[test]
fn a_plan_is_implemented() {
    let planning = task(TaskKind::Plan, json!({}), None);
    check(&planning, &StepOutput::Plan(plan(2)), "implementer implement round 1");
}

#[test]
fn a_plan_without_work_ends_the_run() {
    let planning = task(TaskKind::Plan, json!({}), None);
    check(&planning, &StepOutput::Plan(plan(0)), "completed: nothing_to_do");
}

#[test]
fn a_change_is_reviewed() {
    check(&implementing(2, None), &StepOutput::Implement(change()), "reviewer review round 2");
}

#[test]
fn an_approved_change_is_decided_on() {
    let approved = StepOutput::Review(review(Verdict::Approve));
    check(&reviewing(1, None), &approved, "maintainer decide");
}

#[test]
fn a_review_sends_work_back_until_its_rounds_are_spent() {
    let rejected = StepOutput::Review(review(Verdict::RequestChanges));
    check(&reviewing(1, None), &rejected, "implementer implement round 2");
    check(&reviewing(2, None), &rejected, "implementer implement round 3");
    check(&reviewing(3, None), &rejected, "failed: ask_human");
    check(&reviewing(1, Some(1)), &rejected, "failed: ask_human");
    check(&reviewing(3, Some(99)), &rejected, "failed: ask_human");
}

#[test]
fn a_review_without_comments_still_says_what_it_wants() {
    let next = after(&reviewing(1, None), &StepOutput::Review(review(Verdict::RequestChanges)));
    let payload = next.unwrap().follow_ups.remove(0).payload;
    assert_eq!(payload["feedback"][0]["body"], "hm");
}

#[test]
fn a_refused_change_goes_back_with_the_reason() {
    let refusal = Refusal { path: "../x".to_owned(), reason: "leaves the repository".to_owned() };
    let refused = StepOutput::Refused(vec![refusal]);
    check(&implementing(1, None), &refused, "implementer implement round 2");
    check(&implementing(3, None), &refused, "failed: ask_human");
}

#[test]
fn a_decision_ends_the_run() {
    let input = DecideInput {
        plan: plan(1),
        rounds: 1,
        change: change(),
        review: review(Verdict::Approve),
    };
    let deciding = task(TaskKind::Decide, serde_json::to_value(input).unwrap(), None);
    let decide = |decision| StepOutput::Decide(Decision { decision, reasons: Vec::new() });
    check(&deciding, &decide(Disposal::OpenPr), "completed: open_pr");
    check(&deciding, &decide(Disposal::AskHuman), "completed: ask_human");
    check(&deciding, &decide(Disposal::Reject), "failed: reject");
}

#[test]
fn a_payload_of_another_shape_is_an_error() {
    let broken = task(TaskKind::Review, json!({ "round": 1 }), None);
    let error = after(&broken, &StepOutput::Review(review(Verdict::Approve))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the payload of a `review` task is not what such a task takes: missing field `plan`"
    );
}
