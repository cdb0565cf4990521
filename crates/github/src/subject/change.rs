//! Issues, pull requests, what people say to them, and pushes.

use serde::Deserialize;

use super::names;
use crate::{lenient, webhook::Account};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "IssueJson")]
pub struct Issue {
    pub number: i64,
    pub title: String,
    /// Untrusted text, cut after 32,768 characters.
    pub body: Option<String>,
    /// `open` or `closed`.
    pub state: Option<String>,
    pub labels: Vec<String>,
    pub html_url: Option<String>,
    pub author: Option<Account>,
    /// `OWNER`, `MEMBER`, `COLLABORATOR`, `CONTRIBUTOR`, `NONE`, …
    pub author_association: Option<String>,
    /// Pull requests are issues too, in comments on them.
    pub is_pull_request: bool,
}

#[derive(Deserialize)]
struct IssueJson {
    number: i64,
    #[serde(deserialize_with = "lenient::needed_line")]
    title: String,
    #[serde(default, deserialize_with = "lenient::text")]
    body: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    state: Option<String>,
    #[serde(default, deserialize_with = "names")]
    labels: Vec<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    html_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    user: Option<Account>,
    #[serde(default, deserialize_with = "lenient::line")]
    author_association: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    pull_request: Option<Empty>,
}

/// Any object.
#[derive(Deserialize)]
struct Empty {}

impl From<IssueJson> for Issue {
    fn from(json: IssueJson) -> Self {
        Self {
            number: json.number,
            title: json.title,
            body: json.body,
            state: json.state,
            labels: json.labels,
            html_url: json.html_url,
            author: json.user,
            author_association: json.author_association,
            is_pull_request: json.pull_request.is_some(),
        }
    }
}

/// A comment on an issue or a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Comment {
    pub id: i64,
    /// Untrusted text, cut after 32,768 characters.
    #[serde(default, deserialize_with = "lenient::text")]
    pub body: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub html_url: Option<String>,
    #[serde(default, rename = "user", deserialize_with = "lenient::field")]
    pub author: Option<Account>,
    /// As with issues. What a person may do is asked of the API, not read here.
    #[serde(default, deserialize_with = "lenient::line")]
    pub author_association: Option<String>,
    /// The App that wrote it for its author.
    #[serde(default, rename = "performed_via_github_app", deserialize_with = "app_id")]
    pub via_app_id: Option<i64>,
}

fn app_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct App {
        id: i64,
    }
    Ok(lenient::field::<D, App>(deserializer)?.map(|app| app.id))
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "PullRequestJson")]
pub struct PullRequest {
    pub number: i64,
    pub title: String,
    /// Untrusted text, cut after 32,768 characters.
    pub body: Option<String>,
    /// `open` or `closed`.
    pub state: Option<String>,
    pub draft: bool,
    pub merged: bool,
    pub labels: Vec<String>,
    pub html_url: Option<String>,
    pub author: Option<Account>,
    pub author_association: Option<String>,
    pub head: Branch,
    pub base: Branch,
}

/// One side of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Branch {
    /// The branch's name.
    #[serde(default, rename = "ref", deserialize_with = "lenient::line")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub sha: Option<String>,
    /// `owner/name` of where it lies: of a fork, for the head of most outside pull requests; `None` if that is deleted.
    #[serde(default, rename = "repo", deserialize_with = "full_name")]
    pub repository: Option<String>,
}

fn full_name<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Repo {
        #[serde(deserialize_with = "lenient::needed_line")]
        full_name: String,
    }
    Ok(lenient::field::<D, Repo>(deserializer)?.map(|repo| repo.full_name))
}

#[derive(Deserialize)]
struct PullRequestJson {
    number: i64,
    #[serde(deserialize_with = "lenient::needed_line")]
    title: String,
    #[serde(default, deserialize_with = "lenient::text")]
    body: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    state: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    draft: Option<bool>,
    #[serde(default, deserialize_with = "lenient::field")]
    merged: Option<bool>,
    #[serde(default, deserialize_with = "names")]
    labels: Vec<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    html_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    user: Option<Account>,
    #[serde(default, deserialize_with = "lenient::line")]
    author_association: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    head: Option<Branch>,
    #[serde(default, deserialize_with = "lenient::field")]
    base: Option<Branch>,
}

impl From<PullRequestJson> for PullRequest {
    fn from(json: PullRequestJson) -> Self {
        Self {
            number: json.number,
            title: json.title,
            body: json.body,
            state: json.state,
            draft: json.draft.unwrap_or(false),
            merged: json.merged.unwrap_or(false),
            labels: json.labels,
            html_url: json.html_url,
            author: json.user,
            author_association: json.author_association,
            head: json.head.unwrap_or_default(),
            base: json.base.unwrap_or_default(),
        }
    }
}

/// A review of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Review {
    /// `approved`, `changes_requested`, `commented`, `dismissed`.
    #[serde(deserialize_with = "lenient::needed_line")]
    pub state: String,
    /// Untrusted text, cut after 32,768 characters.
    #[serde(default, deserialize_with = "lenient::text")]
    pub body: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub commit_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub html_url: Option<String>,
    #[serde(default, rename = "user", deserialize_with = "lenient::field")]
    pub author: Option<Account>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub author_association: Option<String>,
}

/// Commits that arrived on a branch or tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Push {
    /// The whole reference: `refs/heads/main`, `refs/tags/v1`.
    #[serde(rename = "ref", deserialize_with = "lenient::needed_line")]
    pub reference: String,
    /// Where it pointed; forty zeros if it is new.
    #[serde(default, deserialize_with = "lenient::line")]
    pub before: Option<String>,
    /// Where it points; forty zeros if it is deleted.
    #[serde(default, deserialize_with = "lenient::line")]
    pub after: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    pub created: Option<bool>,
    #[serde(default, deserialize_with = "lenient::field")]
    pub deleted: Option<bool>,
    #[serde(default, deserialize_with = "lenient::field")]
    pub forced: Option<bool>,
    /// The page that compares before and after.
    #[serde(default, deserialize_with = "lenient::line")]
    pub compare: Option<String>,
    /// The message of the newest commit: untrusted text, cut after 32,768 characters.
    #[serde(default, rename = "head_commit", deserialize_with = "message")]
    pub head_message: Option<String>,
}

fn message<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Commit {
        #[serde(default, deserialize_with = "lenient::text")]
        message: Option<String>,
    }
    Ok(lenient::field::<D, Commit>(deserializer)?.and_then(|commit| commit.message))
}

impl Push {
    /// The branch, `None` for a tag.
    pub fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }

    /// Whether the branch or tag is gone.
    pub fn is_deletion(&self) -> bool {
        self.deleted == Some(true)
    }
}
