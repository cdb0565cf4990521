//! A run: one piece of work from trigger to outcome.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::RunId,
    named_enum,
    task::{NewTask, Priority, TaskStatus, Usage},
    trigger::Source,
    workflow::Workflow,
};

named_enum! {
    /// Where a run is in its life. Derived from its tasks, but for `paused` and `cancelled`, which are asked for.
    pub enum RunStatus ("run status") {
        /// No task has begun.
        Queued = "queued",
        Running = "running",
        /// Every open task waits for a person or for CI.
        Waiting = "waiting",
        /// Nothing new begins until somebody resumes it.
        Paused = "paused",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    pub const LIVE: &'static [Self] = &[Self::Queued, Self::Running, Self::Waiting, Self::Paused];

    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The status of a run that was neither paused nor cancelled, from how many of its tasks are in each state.
    pub fn derive(tasks: &TaskCounts) -> Self {
        let count = |status| tasks.get(status) > 0;
        if count(TaskStatus::Running) || count(TaskStatus::Retrying) {
            Self::Running
        } else if count(TaskStatus::Queued) || count(TaskStatus::Pending) {
            let begun = count(TaskStatus::Completed) || count(TaskStatus::Waiting);
            if begun { Self::Running } else { Self::Queued }
        } else if count(TaskStatus::Waiting) {
            Self::Waiting
        } else if count(TaskStatus::Failed) {
            Self::Failed
        } else if count(TaskStatus::Completed) || tasks.is_empty() {
            Self::Completed
        } else {
            Self::Cancelled
        }
    }
}

/// How many tasks of a run are in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts([i64; TaskStatus::ALL.len()]);

impl TaskCounts {
    pub fn get(&self, status: TaskStatus) -> i64 {
        self.0[status as usize]
    }

    pub fn add(&mut self, status: TaskStatus, count: i64) {
        self.0[status as usize] += count;
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// Tasks on which work is still owed.
    pub fn live(&self) -> i64 {
        TaskStatus::LIVE.iter().map(|status| self.get(*status)).sum()
    }
}

/// What a run may use. None is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Tokens in and out, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<i64>,
    /// Minutes from its first attempt to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_minutes: Option<i64>,
    /// Implement and review rounds; the workflow's own limit is never raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rounds: Option<i32>,
}

/// A run to be made, with its first tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    pub id: RunId,
    pub workflow: Workflow,
    pub goal: String,
    /// `owner/name`, a git URL or a local path; none for work without a repository.
    pub repository: Option<String>,
    /// Where to begin; none is the repository's default branch.
    pub base_ref: Option<String>,
    pub source: Source,
    pub budget: Budget,
    pub priority: Priority,
    pub metadata: Value,
    pub tasks: Vec<NewTask>,
}

/// A run as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub id: RunId,
    pub workflow: Workflow,
    pub status: RunStatus,
    pub goal: String,
    pub repository: Option<String>,
    pub base_ref: Option<String>,
    /// The commit on which the work is based, once it is known.
    pub base_commit: Option<String>,
    /// The branch that the work is pushed to, once there is one.
    pub branch: Option<String>,
    /// The newest commit pushed to `branch`.
    pub head_commit: Option<String>,
    pub source: Source,
    pub budget: Budget,
    pub usage: Usage,
    pub priority: Priority,
    pub metadata: Value,
    /// What came of it, once it has ended; the workflow says its shape.
    pub outcome: Option<Value>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a step needs to know of its task's run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    pub workflow: Workflow,
    pub goal: String,
    pub repository: Option<String>,
    pub base_ref: Option<String>,
    pub base_commit: Option<String>,
    pub branch: Option<String>,
    pub head_commit: Option<String>,
    pub budget: Budget,
    pub usage: Usage,
}

/// The branch that a run pushes to. The same for every attempt, so that pushing twice changes nothing.
pub fn branch_of(run: RunId) -> String {
    format!("orchestrator/{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_follows_its_tasks() {
        use TaskStatus::*;
        check(&[], RunStatus::Completed);
        check(&[Pending], RunStatus::Queued);
        check(&[Queued, Pending], RunStatus::Queued);
        check(&[Completed, Queued], RunStatus::Running);
        check(&[Running, Waiting], RunStatus::Running);
        check(&[Retrying], RunStatus::Running);
        check(&[Completed, Waiting], RunStatus::Waiting);
        check(&[Completed, Completed], RunStatus::Completed);
        check(&[Completed, Cancelled], RunStatus::Completed);
        check(&[Cancelled], RunStatus::Cancelled);
        check(&[Completed, Failed, Cancelled], RunStatus::Failed);
    }

    #[track_caller]
    fn check(tasks: &[TaskStatus], expected: RunStatus) {
        let mut counts = TaskCounts::default();
        for status in tasks {
            counts.add(*status, 1);
        }
        assert_eq!(RunStatus::derive(&counts), expected, "{tasks:?}");
    }
}
