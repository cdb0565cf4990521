//! What each role answers, typed.
//!
//! One struct per answer: it is read from the model's JSON (unknown fields are an error), stored as a task's result, and
//! read again by [`workflow`](crate::workflow). Its JSON Schema is what a model is held to. Bounds on lengths are not here:
//! they follow from how much a model may write, which is a setting of the executor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::named_enum;

/// The architect's answer: the goal, split into subtasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The plan in a few sentences.
    pub summary: String,
    /// What to do, in an order that works.
    pub subtasks: Vec<Subtask>,
    /// What may go wrong.
    pub risks: Vec<String>,
    /// True if a person must decide something before the work can begin.
    pub needs_human: bool,
}

/// One piece of a plan, small enough for one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subtask {
    /// A few words.
    pub title: String,
    /// What to change and why.
    pub description: String,
    /// Files or folders that it may touch, relative to the root of the repository.
    pub scope_paths: Vec<String>,
    /// Subtasks that must be finished first, by their position in the plan, counted from 0.
    pub depends_on: Vec<u32>,
    /// How one sees that it is finished.
    pub acceptance: Vec<String>,
}

impl Plan {
    /// Removes dependencies that no order of work can honour (on a subtask that does not exist, on itself, around a
    /// circle) and repeated ones. Returns one sentence for each removed, for the record.
    pub fn drop_impossible_dependencies(&mut self) -> Vec<String> {
        let mut removed = Vec::new();
        let wishes: Vec<_> =
            self.subtasks.iter_mut().map(|it| std::mem::take(&mut it.depends_on)).collect();
        for (from, wished) in wishes.into_iter().enumerate() {
            for on in wished {
                let why = match usize::try_from(on).ok().filter(|on| *on < self.subtasks.len()) {
                    None => Some("which does not exist"),
                    Some(on) if self.reaches(on, from) => Some("which waits for it"),
                    Some(_) => None,
                };
                match why {
                    Some(why) => {
                        removed
                            .push(format!("subtask {from} does not wait for subtask {on}, {why}"));
                    }
                    None if self.subtasks[from].depends_on.contains(&on) => {}
                    None => self.subtasks[from].depends_on.push(on),
                }
            }
        }
        removed
    }

    /// Whether subtask `from` is `to`, or waits for it through any number of others.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.subtasks.len()];
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                let next = self.subtasks[at].depends_on.iter();
                open.extend(
                    next.filter_map(|it| usize::try_from(*it).ok()).filter(|it| *it < seen.len()),
                );
            }
        }
        false
    }
}

named_enum! {
    /// What becomes of a file.
    pub enum FileAction ("file action") {
        /// The file holds `content` from now on, whether it was there or not.
        Write = "write",
        /// The file is removed; `content` is empty.
        Delete = "delete",
    }
}

/// The implementer's answer: files as they shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeSet {
    /// What was changed and why: the message of the commit.
    pub summary: String,
    /// Every file that is written or deleted; no other file changes.
    pub changes: Vec<FileChange>,
}

/// One file of a change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileChange {
    /// Relative to the root of the repository, with `/` between its parts.
    pub path: String,
    pub action: FileAction,
    /// The whole new content of a written file; empty for a deleted one.
    #[serde(default)]
    pub content: String,
}

named_enum! {
    /// What a review comes to.
    pub enum Verdict ("verdict") {
        Approve = "approve",
        RequestChanges = "request_changes",
    }
}

named_enum! {
    /// How much a comment weighs.
    pub enum Severity ("severity") {
        /// Good to know; nothing to change.
        Info = "info",
        Minor = "minor",
        Major = "major",
        /// Wrong, unsafe or against the goal.
        Critical = "critical",
    }
}

/// The reviewer's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Review {
    pub verdict: Verdict,
    /// Why, in a few sentences.
    pub summary: String,
    /// What to change or to know, each at its place.
    pub comments: Vec<ReviewComment>,
}

/// One remark of a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReviewComment {
    /// The file that it is about, relative to the root of the repository.
    pub path: String,
    /// The line that it is about, counted from 1; null for the whole file.
    #[serde(default)]
    pub line: Option<u32>,
    pub severity: Severity,
    /// The remark.
    pub body: String,
}

/// The tester's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestReport {
    /// Commands that were run, as typed.
    pub commands: Vec<String>,
    /// True if every one of them succeeded.
    pub passed: bool,
    /// What failed.
    pub failures: Vec<TestFailure>,
    /// Lines covered, in percent; null if it was not measured.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub coverage: Option<f64>,
    /// The result in a few sentences.
    pub summary: String,
}

/// One check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestFailure {
    /// The test or command.
    pub name: String,
    /// What it said.
    pub message: String,
}

named_enum! {
    /// What becomes of a run's result.
    pub enum Disposal ("decision") {
        /// Merge it, where policy allows; else open a pull request.
        Merge = "merge",
        OpenPr = "open_pr",
        AskHuman = "ask_human",
        Reject = "reject",
    }
}

/// The maintainer's answer. The system acts on it, within its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    pub decision: Disposal,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
}

named_enum! {
    /// How far an agent came with a single task.
    pub enum ResponseStatus ("response status") {
        Completed = "completed",
        Partial = "partial",
        /// It cannot go on without something that it names.
        Blocked = "blocked",
        Failed = "failed",
    }
}

/// The answer to a task of its own (from the API or a schedule) in `structured-json` mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentResponse {
    pub status: ResponseStatus,
    /// The task in the agent's own words.
    pub interpretation: String,
    pub context: ResponseContext,
    pub strategy: Strategy,
    pub deliverable: Deliverable,
    pub continuity: Continuity,
    /// What may go wrong.
    pub risks: Vec<String>,
    /// From 0, a guess, to 1, certain.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: f64,
    /// Anything else, by name.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What the agent went by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseContext {
    pub sources: Vec<String>,
    pub assumptions: Vec<String>,
    pub constraints: Vec<String>,
    pub references: Vec<String>,
}

/// How the agent went about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Strategy {
    pub summary: String,
    pub steps: Vec<String>,
}

/// What the agent made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deliverable {
    pub summary: String,
    pub artifacts: Vec<Artifact>,
    pub notes: Vec<String>,
}

/// One thing that the agent made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// What it is: text, code, patch, link, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it belongs; null if it has no place.
    #[serde(default)]
    pub path: Option<String>,
    pub description: String,
    /// The thing itself.
    #[serde(default)]
    pub payload: Value,
}

/// What whoever comes next should know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Continuity {
    pub next_steps: Vec<String>,
    pub open_questions: Vec<String>,
    pub handoff_notes: Vec<String>,
}

#[cfg(test)]
mod tests;
