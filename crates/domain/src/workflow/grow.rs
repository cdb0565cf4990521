//! The `grow` workflow.
//!
//! ```text
//!   plan ──▶ implement ──▶ review ──approve──▶ decide ──▶ merge, open_pr, ask_human: completed
//!              ▲  │ refused    │                      └──▶ reject: failed
//!              └──┴────────────┘ changes asked for, at most `max_rounds` rounds; then failed: a person is asked
//! ```

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{BadInput, Next, RunEnd, StepOutput};
use crate::{
    limits::MAX_ROUNDS,
    outputs::{Decision, Disposal, Plan, Review, ReviewComment, Severity, Verdict},
    role::Role,
    run::RunStatus,
    task::{ClaimedTask, NewTask, TaskKind},
};

/// Payload of an implement task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImplementInput {
    pub plan: Plan,
    /// The first is 1.
    pub round: i32,
    /// What the last review, or the system, found wrong.
    #[serde(default)]
    pub feedback: Vec<ReviewComment>,
}

/// Payload of a review task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewInput {
    pub plan: Plan,
    pub round: i32,
    pub change: Implemented,
}

/// Payload of a decide task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideInput {
    pub plan: Plan,
    pub rounds: i32,
    pub change: Implemented,
    pub review: Review,
}

/// A change that the system has applied, committed and pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Implemented {
    pub commit: String,
    pub branch: String,
    pub summary: String,
    pub files: Vec<String>,
}

/// A file change that the system does not make, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    pub path: String,
    pub reason: String,
}

/// What follows `task` in a `grow` run.
pub(super) fn after(task: &ClaimedTask, output: &StepOutput) -> Result<Next, BadInput> {
    Ok(match output {
        StepOutput::Single | StepOutput::Test => Next::default(),
        StepOutput::Plan(plan) => after_plan(task, plan),
        StepOutput::Implement(change) => after_implement(task, input(task)?, change),
        StepOutput::Refused(refusals) => after_refusal(task, input(task)?, refusals),
        StepOutput::Review(review) => after_review(task, input(task)?, review),
        StepOutput::Decide(decision) => after_decide(task, &input(task)?, decision),
    })
}

fn after_plan(task: &ClaimedTask, plan: &Plan) -> Next {
    if plan.subtasks.is_empty() {
        let outcome = json!({ "decision": "nothing_to_do", "reasons": [plan.summary] });
        return end(RunStatus::Completed, outcome);
    }
    let input = ImplementInput { plan: plan.clone(), round: 1, feedback: Vec::new() };
    follow(task, Role::Implementer, TaskKind::Implement, &input)
}

fn after_implement(task: &ClaimedTask, input: ImplementInput, change: &Implemented) -> Next {
    let input = ReviewInput { plan: input.plan, round: input.round, change: change.clone() };
    follow(task, Role::Reviewer, TaskKind::Review, &input)
}

fn after_refusal(task: &ClaimedTask, input: ImplementInput, refusals: &[Refusal]) -> Next {
    let feedback = refusals.iter().map(|refusal| ReviewComment {
        path: refusal.path.clone(),
        line: None,
        severity: Severity::Critical,
        body: refusal.reason.clone(),
    });
    another_round(task, input.plan, input.round, feedback.collect(), "the change was refused")
}

fn after_review(task: &ClaimedTask, input: ReviewInput, review: &Review) -> Next {
    match review.verdict {
        Verdict::Approve => {
            let input = DecideInput {
                plan: input.plan,
                rounds: input.round,
                change: input.change,
                review: review.clone(),
            };
            follow(task, Role::Maintainer, TaskKind::Decide, &input)
        }
        Verdict::RequestChanges => {
            let mut feedback = review.comments.clone();
            if feedback.is_empty() {
                feedback.push(ReviewComment {
                    path: String::new(),
                    line: None,
                    severity: Severity::Major,
                    body: review.summary.clone(),
                });
            }
            another_round(task, input.plan, input.round, feedback, "the review asked for changes")
        }
    }
}

fn after_decide(task: &ClaimedTask, input: &DecideInput, decision: &Decision) -> Next {
    let status = match decision.decision {
        Disposal::Merge | Disposal::OpenPr | Disposal::AskHuman => RunStatus::Completed,
        Disposal::Reject => RunStatus::Failed,
    };
    let outcome = json!({
        "decision": decision.decision,
        "reasons": decision.reasons,
        "commit": input.change.commit,
        "branch": task.run.branch,
        "rounds": input.rounds,
        "needsHuman": input.plan.needs_human,
    });
    end(status, outcome)
}

/// Sends the work back, unless its rounds are spent.
fn another_round(
    task: &ClaimedTask,
    plan: Plan,
    round: i32,
    feedback: Vec<ReviewComment>,
    why: &str,
) -> Next {
    if round >= max_rounds(task) {
        let reason = format!("{why} in round {round}, the last one: a person has to look at it");
        let outcome = json!({ "decision": "ask_human", "reasons": [reason], "feedback": feedback });
        return end(RunStatus::Failed, outcome);
    }
    let input = ImplementInput { plan, round: round + 1, feedback };
    follow(task, Role::Implementer, TaskKind::Implement, &input)
}

fn max_rounds(task: &ClaimedTask) -> i32 {
    task.run.budget.max_rounds.map_or(MAX_ROUNDS, |rounds| rounds.clamp(1, MAX_ROUNDS))
}

fn end(status: RunStatus, outcome: Value) -> Next {
    Next { follow_ups: Vec::new(), end: Some(RunEnd { status, outcome }) }
}

fn follow(task: &ClaimedTask, role: Role, kind: TaskKind, input: &impl Serialize) -> Next {
    let mut next = NewTask::new(role, kind, task.run.goal.clone());
    next.priority = task.priority;
    next.payload = serde_json::to_value(input).expect("our own structs are JSON objects");
    Next { follow_ups: vec![next], end: None }
}

/// The typed payload of a task.
pub fn input<T: DeserializeOwned>(task: &ClaimedTask) -> Result<T, BadInput> {
    T::deserialize(&task.payload).map_err(|source| BadInput { kind: task.kind, source })
}

#[cfg(test)]
#[path = "grow_tests.rs"]
mod tests;
