//! What machines say about a commit.

use serde::Deserialize;

use super::{LIST, Maybe, Named};
use crate::lenient::{self, Part};

/// Which of GitHub's four ways to say how a commit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    CheckRun,
    CheckSuite,
    WorkflowRun,
    /// A commit status, the oldest way.
    Status,
}

/// How a commit does, in one shape for all four.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub kind: CheckKind,
    /// Of the check, the workflow or the status's context; of a suite, the App that made it.
    pub name: Option<String>,
    /// `queued`, `in_progress`, `completed`, …
    pub status: Option<String>,
    /// `success`, `failure`, `timed_out`, `cancelled`, … once completed; of a status also `error`.
    pub conclusion: Option<String>,
    pub head_sha: Option<String>,
    pub head_branch: Option<String>,
    /// A page for people.
    pub url: Option<String>,
    /// What it says about itself: untrusted text, cut after 32,768 characters.
    pub summary: Option<String>,
    /// The pull requests, of this repository, that the commit is the head of.
    pub pull_requests: Vec<i64>,
}

impl Check {
    /// Whether it ended and something is wrong with the commit. Cancelled, stale and skipped say nothing about it.
    pub fn is_red(&self) -> bool {
        let red = ["failure", "timed_out", "startup_failure", "error"];
        self.conclusion.as_deref().is_some_and(|conclusion| red.contains(&conclusion))
    }

    pub(super) fn of_run(part: Part<'_>) -> Option<Self> {
        let json: CheckJson = lenient::read(part)?;
        let output = json.output.unwrap_or_default();
        Some(
            Self {
                head_branch: json.check_suite.and_then(|suite| suite.head_branch),
                url: json.html_url.or(json.details_url),
                summary: output.summary.or(output.title),
                ..Self::of_any(
                    CheckKind::CheckRun,
                    json.name,
                    json.status,
                    json.conclusion,
                    json.head_sha,
                )
            }
            .with_pull_requests(json.pull_requests),
        )
    }

    pub(super) fn of_suite(part: Part<'_>) -> Option<Self> {
        let json: CheckJson = lenient::read(part)?;
        let name = json.app.map(|app| app.name);
        Some(
            Self {
                head_branch: json.head_branch,
                ..Self::of_any(
                    CheckKind::CheckSuite,
                    name,
                    json.status,
                    json.conclusion,
                    json.head_sha,
                )
            }
            .with_pull_requests(json.pull_requests),
        )
    }

    pub(super) fn of_workflow(part: Part<'_>) -> Option<Self> {
        let json: CheckJson = lenient::read(part)?;
        Some(
            Self {
                head_branch: json.head_branch,
                url: json.html_url,
                summary: json.display_title,
                ..Self::of_any(
                    CheckKind::WorkflowRun,
                    json.name,
                    json.status,
                    json.conclusion,
                    json.head_sha,
                )
            }
            .with_pull_requests(json.pull_requests),
        )
    }

    /// A status has one word for what a check says in two.
    pub(super) fn of_status(json: &[u8]) -> Option<Self> {
        let json: StatusJson = serde_json::from_slice(json).ok()?;
        let pending = json.state == "pending";
        let status = if pending { "in_progress" } else { "completed" }.to_owned();
        let conclusion = (!pending).then_some(json.state);
        let branch = json.branches.into_iter().flatten().find_map(|branch| branch.0);
        Some(Self {
            head_branch: branch.map(|branch| branch.name),
            url: json.target_url,
            summary: json.description,
            ..Self::of_any(CheckKind::Status, json.context, Some(status), conclusion, json.sha)
        })
    }

    fn of_any(
        kind: CheckKind,
        name: Option<String>,
        status: Option<String>,
        conclusion: Option<String>,
        head_sha: Option<String>,
    ) -> Self {
        let (head_branch, url, summary) = (None, None, None);
        Self {
            kind,
            name,
            status,
            conclusion,
            head_sha,
            head_branch,
            url,
            summary,
            pull_requests: Vec::new(),
        }
    }

    fn with_pull_requests(self, given: Option<Vec<Maybe<Numbered>>>) -> Self {
        let numbers = given.into_iter().flatten().filter_map(|it| it.0).map(|it| it.number);
        Self { pull_requests: numbers.take(LIST).collect(), ..self }
    }
}

#[derive(Deserialize)]
struct Numbered {
    number: i64,
}

/// A check run, a check suite or a workflow run: their names do not clash.
#[derive(Deserialize)]
struct CheckJson {
    #[serde(default, deserialize_with = "lenient::line")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    conclusion: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    head_sha: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    head_branch: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    html_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    details_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    display_title: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    output: Option<Output>,
    #[serde(default, deserialize_with = "lenient::field")]
    check_suite: Option<Suite>,
    #[serde(default, deserialize_with = "lenient::field")]
    app: Option<Named>,
    #[serde(default, deserialize_with = "lenient::field")]
    pull_requests: Option<Vec<Maybe<Numbered>>>,
}

#[derive(Default, Deserialize)]
struct Output {
    #[serde(default, deserialize_with = "lenient::text")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    summary: Option<String>,
}

#[derive(Deserialize)]
struct Suite {
    #[serde(default, deserialize_with = "lenient::line")]
    head_branch: Option<String>,
}

#[derive(Deserialize)]
struct StatusJson {
    #[serde(deserialize_with = "lenient::needed_line")]
    state: String,
    #[serde(default, deserialize_with = "lenient::line")]
    context: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    sha: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    target_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    branches: Option<Vec<Maybe<Named>>>,
}

/// How a deployment does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// `success`, `failure`, `error`, `in_progress`, …
    pub state: String,
    pub environment: Option<String>,
    /// Untrusted text, cut after 32,768 characters.
    pub description: Option<String>,
    /// Its log, for people.
    pub url: Option<String>,
    /// What was deployed.
    pub reference: Option<String>,
    pub sha: Option<String>,
}

impl DeploymentStatus {
    pub(super) fn read(status: Part<'_>, deployment: Part<'_>) -> Option<Self> {
        let status: DeploymentStatusJson = lenient::read(status)?;
        let deployment: DeploymentJson = lenient::read(deployment).unwrap_or_default();
        Some(Self {
            state: status.state,
            environment: status.environment.or(deployment.environment),
            description: status.description,
            url: [status.log_url, status.target_url]
                .into_iter()
                .flatten()
                .find(|url| !url.is_empty()),
            reference: deployment.reference,
            sha: deployment.sha,
        })
    }
}

#[derive(Deserialize)]
struct DeploymentStatusJson {
    #[serde(deserialize_with = "lenient::needed_line")]
    state: String,
    #[serde(default, deserialize_with = "lenient::line")]
    environment: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    log_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    target_url: Option<String>,
}

#[derive(Default, Deserialize)]
struct DeploymentJson {
    #[serde(default, deserialize_with = "lenient::line")]
    environment: Option<String>,
    #[serde(default, rename = "ref", deserialize_with = "lenient::line")]
    reference: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    sha: Option<String>,
}
