//! What machines tell of, and pushes: there is no text of an issue in it.

use domain::{role::Role, task::Priority, trigger::Work};
use github::{Check, CheckKind, DeploymentStatus, Envelope, Push};

use super::draft::{Draft, Drafted};
use crate::text;

/// Branches of this prefix are the orchestrator's own.
const OWN_BRANCHES: &str = "orchestrator/";

/// Only what ended badly is work: a check that begins, or is green, asks for nothing.
pub(super) fn check<'e>(check: &'e Check, envelope: &'e Envelope) -> Drafted<'e> {
    if check.status.as_deref() != Some("completed") {
        return Err("the check has not ended".to_owned());
    }
    let conclusion = check.conclusion.as_deref().unwrap_or("no conclusion");
    if !check.is_red() {
        return Err(format!("the check ended with {}: nothing is broken", text::line(conclusion)));
    }
    let branch = check.head_branch.as_deref();
    if let Some(own) = branch.filter(|branch| branch.starts_with(OWN_BRANCHES)) {
        return Err(format!("{} is a branch of the orchestrator", text::line(own)));
    }
    let kind = match check.kind {
        CheckKind::CheckRun => "Check",
        CheckKind::CheckSuite => "Check suite",
        CheckKind::WorkflowRun => "Workflow",
        CheckKind::Status => "Status",
    };
    let name = check.name.as_deref().unwrap_or("without a name");
    let place = branch.or(check.head_sha.as_deref()).unwrap_or("an unknown commit");
    let default = envelope.repository.as_ref().and_then(|it| it.default_branch.as_deref());
    let broke_main = branch.is_some() && branch == default;
    Ok(Draft {
        work: Work::Single(Role::Tester),
        title: format!("{kind} {name} ended with {conclusion} on {place}"),
        body: check.summary.as_deref(),
        url: check.url.as_deref(),
        base_ref: branch,
        number: check.pull_requests.first().copied(),
        priority: if broke_main { Priority::REGRESSION } else { Priority::BUG },
    })
}

pub(super) fn push(push: &Push) -> Drafted<'_> {
    let place = push.branch().unwrap_or(&push.reference);
    if push.is_deletion() {
        return Err(format!("{} was deleted", text::line(place)));
    }
    if place.starts_with(OWN_BRANCHES) {
        return Err(format!("{} is a branch of the orchestrator", text::line(place)));
    }
    Ok(Draft {
        work: Work::Single(Role::Architect),
        title: format!("Push to {place}"),
        body: push.head_message.as_deref(),
        url: push.compare.as_deref(),
        base_ref: push.branch(),
        number: None,
        priority: Priority::NORMAL,
    })
}

pub(super) fn deployment(status: &DeploymentStatus) -> Drafted<'_> {
    if matches!(status.state.as_str(), "queued" | "pending" | "in_progress" | "waiting") {
        return Err("the deployment has not ended".to_owned());
    }
    let environment = status.environment.as_deref().unwrap_or("an unnamed environment");
    Ok(Draft {
        work: Work::Single(Role::Maintainer),
        title: format!("Deployment to {environment}: {}", status.state),
        body: status.description.as_deref(),
        url: status.url.as_deref(),
        base_ref: status.reference.as_deref(),
        number: None,
        priority: Priority::NORMAL,
    })
}
