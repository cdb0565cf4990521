//! What a delivery is about, for each event that we read.

mod change;
mod check;
mod installation;

use serde::Deserialize;

pub use self::{
    change::{Branch, Comment, Issue, PullRequest, Push, Review},
    check::{Check, CheckKind, DeploymentStatus},
    installation::{Installation, Ping},
};
use crate::lenient::{self, Part};

/// What happened, by event.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// `issues`; the label is the one that a `labeled` or `unlabeled` is about.
    Issue { issue: Issue, label: Option<String> },
    /// `issue_comment`, on an issue or a pull request.
    IssueComment { issue: Issue, comment: Comment },
    /// `pull_request`; the label as with issues.
    PullRequest { pull_request: PullRequest, label: Option<String> },
    /// `pull_request_review`.
    Review { pull_request: PullRequest, review: Review },
    /// `check_run`, `check_suite`, `workflow_run`, `status`.
    Check(Check),
    /// `push`.
    Push(Push),
    /// `deployment_status`.
    Deployment(DeploymentStatus),
    /// `installation`, `installation_repositories`.
    Installation(Installation),
    /// `ping`.
    Ping(Ping),
    /// An event that we read, but without the part that it is about, or with one of another shape.
    Unreadable,
    /// Any other event.
    Other,
}

/// The top of a payload, of any event that we read.
#[derive(Deserialize)]
pub(crate) struct Parts<'a> {
    #[serde(borrow, default)]
    pub(crate) action: Part<'a>,
    #[serde(borrow, default)]
    pub(crate) repository: Part<'a>,
    #[serde(borrow, default)]
    pub(crate) sender: Part<'a>,
    #[serde(borrow, default)]
    pub(crate) installation: Part<'a>,
    #[serde(borrow, default)]
    issue: Part<'a>,
    #[serde(borrow, default)]
    label: Part<'a>,
    #[serde(borrow, default)]
    comment: Part<'a>,
    #[serde(borrow, default)]
    pull_request: Part<'a>,
    #[serde(borrow, default)]
    review: Part<'a>,
    #[serde(borrow, default)]
    check_run: Part<'a>,
    #[serde(borrow, default)]
    check_suite: Part<'a>,
    #[serde(borrow, default)]
    workflow_run: Part<'a>,
    #[serde(borrow, default)]
    deployment: Part<'a>,
    #[serde(borrow, default)]
    deployment_status: Part<'a>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "lenient::needed_line")]
    name: String,
}

impl Subject {
    /// `json` is the whole payload: `push`, `status` and `ping` have their fields at its top.
    pub(crate) fn read(event: &str, parts: &Parts<'_>, json: &[u8]) -> Self {
        let label = || lenient::read::<Named>(parts.label).map(|it| it.name);
        let subject = match event {
            "issues" => {
                lenient::read(parts.issue).map(|issue| Self::Issue { issue, label: label() })
            }
            "issue_comment" => lenient::read(parts.issue)
                .zip(lenient::read(parts.comment))
                .map(|(issue, comment)| Self::IssueComment { issue, comment }),
            "pull_request" => lenient::read(parts.pull_request)
                .map(|pull_request| Self::PullRequest { pull_request, label: label() }),
            "pull_request_review" => lenient::read(parts.pull_request)
                .zip(lenient::read(parts.review))
                .map(|(pull_request, review)| Self::Review { pull_request, review }),
            "check_run" => Check::of_run(parts.check_run).map(Self::Check),
            "check_suite" => Check::of_suite(parts.check_suite).map(Self::Check),
            "workflow_run" => Check::of_workflow(parts.workflow_run).map(Self::Check),
            "status" => Check::of_status(json).map(Self::Check),
            "push" => serde_json::from_slice(json).ok().map(Self::Push),
            "deployment_status" => {
                DeploymentStatus::read(parts.deployment_status, parts.deployment)
                    .map(Self::Deployment)
            }
            "installation" | "installation_repositories" => {
                Installation::read(parts.installation, json).map(Self::Installation)
            }
            "ping" => serde_json::from_slice(json).ok().map(Self::Ping),
            _ => return Self::Other,
        };
        subject.unwrap_or(Self::Unreadable)
    }
}

/// For `deserialize_with`: the names of a list of things, those that can be read.
fn names<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list: Option<Vec<Maybe<Named>>> = lenient::field(deserializer)?;
    Ok(list
        .unwrap_or_default()
        .into_iter()
        .filter_map(|it| it.0)
        .map(|it| it.name)
        .take(LIST)
        .collect())
}

/// Members kept of a list: labels, pull requests, repositories.
const LIST: usize = 1_000;

/// A member of a list that may be of another shape than we know.
struct Maybe<T>(Option<T>);

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::field(deserializer).map(Self)
    }
}
