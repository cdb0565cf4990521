//! What one event asks for, before what all have in common is added.

use domain::{role::Role, task::Priority, trigger::Work};
use github::{Comment, Envelope, Issue, PullRequest, Review, Subject};

use super::{Rules, machines};
use crate::text;

/// What a comment begins a line with that is meant for the orchestrator.
const COMMAND: &str = "/orchestrator";

/// What one event asks for. Nothing in it is bounded yet.
pub(super) struct Draft<'e> {
    pub(super) work: Work,
    pub(super) title: String,
    pub(super) body: Option<&'e str>,
    pub(super) url: Option<&'e str>,
    pub(super) base_ref: Option<&'e str>,
    /// The issue or pull request that it is about.
    pub(super) number: Option<i64>,
    pub(super) priority: Priority,
}

/// A draft, or why nothing follows.
pub(super) type Drafted<'e> = Result<Draft<'e>, String>;

impl Rules {
    /// One line for each subject that GitHub tells of.
    pub(super) fn of_subject<'e>(&self, envelope: &'e Envelope) -> Drafted<'e> {
        let action = envelope.action.as_deref().unwrap_or_default();
        match &envelope.subject {
            Subject::Issue { issue, label } => Ok(self.issue(action, issue, label.as_deref())),
            Subject::IssueComment { issue, comment } => self.comment(action, issue, comment),
            Subject::PullRequest { pull_request, .. } => {
                Ok(of_pull_request(action, pull_request, envelope))
            }
            Subject::Review { pull_request, review } => {
                Ok(of_review(pull_request, review, envelope))
            }
            Subject::Check(check) => machines::check(check, envelope),
            Subject::Push(push) => machines::push(push),
            Subject::Deployment(status) => machines::deployment(status),
            Subject::Installation(_) => Err("an installation starts no work".to_owned()),
            Subject::Ping(_) => Err("a ping starts no work".to_owned()),
            Subject::Unreadable => {
                Err("the payload is not as this event's payloads are".to_owned())
            }
            Subject::Other => {
                Err(format!("no rule starts work for the event `{}`", text::line(&envelope.event)))
            }
        }
    }

    fn issue<'e>(&self, action: &str, issue: &'e Issue, label: Option<&str>) -> Draft<'e> {
        let asked = match action {
            "labeled" => label.is_some_and(|label| self.is_task_label(label)),
            "opened" => issue.labels.iter().any(|label| self.is_task_label(label)),
            _ => false,
        };
        let is_closed = issue.state.as_deref() == Some("closed");
        let (work, title) = if asked && !is_closed {
            (Work::Grow, issue.title.clone())
        } else {
            let role = match action {
                "opened" | "reopened" => Role::Architect,
                "closed" => Role::Maintainer,
                _ => Role::Implementer,
            };
            (Work::Single(role), format!("Issue #{} {action}: {}", issue.number, issue.title))
        };
        Draft {
            work,
            title,
            body: issue.body.as_deref(),
            url: issue.html_url.as_deref(),
            base_ref: None,
            number: Some(issue.number),
            priority: priority(&issue.labels),
        }
    }

    fn is_task_label(&self, label: &str) -> bool {
        self.task_labels.contains(&label.to_lowercase())
    }

    fn comment<'e>(&self, action: &str, issue: &'e Issue, comment: &'e Comment) -> Drafted<'e> {
        if comment.via_app_id.is_some() && comment.via_app_id == self.app_id {
            return Err("our own App wrote the comment".to_owned());
        }
        if action == "deleted" {
            return Err("the comment was deleted".to_owned());
        }
        let body = comment.body.as_deref();
        if body.is_some_and(holds_command) {
            return Err("commands come later".to_owned());
        }
        let what = if issue.is_pull_request { "pull request" } else { "issue" };
        Ok(Draft {
            work: Work::Single(Role::Reviewer),
            title: format!("Comment on {what} #{}: {}", issue.number, issue.title),
            body,
            url: comment.html_url.as_deref(),
            base_ref: None,
            number: Some(issue.number),
            priority: priority(&issue.labels),
        })
    }
}

fn holds_command(body: &str) -> bool {
    body.lines()
        .filter_map(|line| line.trim_start().strip_prefix(COMMAND))
        .any(|rest| rest.chars().next().is_none_or(char::is_whitespace))
}

fn of_pull_request<'e>(
    action: &str,
    pull_request: &'e PullRequest,
    envelope: &'e Envelope,
) -> Draft<'e> {
    Draft {
        work: Work::Single(Role::Reviewer),
        title: format!("Pull request #{} {action}: {}", pull_request.number, pull_request.title),
        body: pull_request.body.as_deref(),
        url: pull_request.html_url.as_deref(),
        base_ref: head_here(pull_request, envelope),
        number: Some(pull_request.number),
        priority: priority(&pull_request.labels),
    }
}

fn of_review<'e>(
    pull_request: &'e PullRequest,
    review: &'e Review,
    envelope: &'e Envelope,
) -> Draft<'e> {
    Draft {
        work: Work::Single(Role::Reviewer),
        title: format!(
            "Review ({}) of pull request #{}: {}",
            review.state, pull_request.number, pull_request.title
        ),
        body: review.body.as_deref(),
        url: review.html_url.as_deref(),
        base_ref: head_here(pull_request, envelope),
        number: Some(pull_request.number),
        priority: priority(&pull_request.labels),
    }
}

/// The pull request's branch, unless it lies in another repository, where we cannot begin.
fn head_here<'e>(pull_request: &'e PullRequest, envelope: &Envelope) -> Option<&'e str> {
    let here = envelope.repository.as_ref().map(|it| &it.full_name);
    pull_request.head.name.as_deref().filter(|_| pull_request.head.repository.as_ref() == here)
}

/// Regressions before bugs before features, by the labels that people use for them.
fn priority(labels: &[String]) -> Priority {
    let has =
        |names: &[&str]| labels.iter().any(|label| names.contains(&label.to_lowercase().as_str()));
    if has(&["regression"]) {
        Priority::REGRESSION
    } else if has(&["bug"]) {
        Priority::BUG
    } else if has(&["feature", "enhancement"]) {
        Priority::FEATURE
    } else {
        Priority::NORMAL
    }
}
