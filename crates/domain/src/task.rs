//! The life of a task.
//!
//! ```text
//!   pending ──▶ queued ──▶ running ──▶ completed
//!      ▲          │ ▲         │ ├────▶ failed ──(replay)──▶ queued
//!      └──(hold)──┘ │         │ ├────▶ cancelled
//!                   ├─────────┘ │        (hand back, lease run out)
//!                   ├── retrying ◀┤      (backoff)
//!                   └── waiting ◀─┘      (a person, CI)
//! ```
//!
//! Every state but the last three may also become `cancelled`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::{RunId, TaskId, WorkerId},
    named_enum,
    role::Role,
};

named_enum! {
    /// Where a task is in its life.
    pub enum TaskStatus ("task status") {
        /// Not dispatched, or dependencies open, or its run is paused.
        Pending = "pending",
        /// Ready for any worker of its role; announced to the queue.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        /// Waits for its backoff to end.
        Retrying = "retrying",
        /// Waits for a person or for CI.
        Waiting = "waiting",
        Completed = "completed",
        /// No attempt is left, or none could succeed: a dead letter.
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl TaskStatus {
    /// The states of a task on which work is still owed.
    pub const LIVE: &'static [Self] =
        &[Self::Pending, Self::Queued, Self::Running, Self::Retrying, Self::Waiting];

    /// Nothing more happens by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether a task may go from this state to `next`. The only place that says so; SQL repeats it as a guard.
    pub const fn may_become(self, next: Self) -> bool {
        use TaskStatus::*;
        match self {
            Pending => matches!(next, Queued | Cancelled),
            Queued => matches!(next, Running | Pending | Cancelled),
            Running => {
                matches!(
                    next,
                    Completed | Failed | Cancelled | Retrying | Waiting | Queued | Pending
                )
            }
            Retrying => matches!(next, Queued | Cancelled),
            Waiting => matches!(next, Queued | Completed | Failed | Cancelled),
            Failed => matches!(next, Queued | Pending),
            // Revived when the task on which it depended, and for which it was cancelled, is replayed.
            Cancelled => matches!(next, Pending | Queued),
            Completed => false,
        }
    }
}

named_enum! {
    /// What a task does inside its workflow.
    pub enum TaskKind ("task kind") {
        /// One task by one role, outside a repository's loop.
        Single = "single",
        /// Architect: split the goal into subtasks.
        Plan = "plan",
        /// Implementer: change files.
        Implement = "implement",
        /// Reviewer: approve, or ask for changes.
        Review = "review",
        /// Tester: run the checks.
        Test = "test",
        /// Maintainer: say what becomes of the result.
        Decide = "decide",
    }
}

/// How urgent a task is: 0 first, 9 last. Regressions before bugs before features.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Priority(i16);

/// A priority outside 0 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("priority {0} is out of range: use 0 (first) to 9 (last)")]
pub struct PriorityOutOfRange(pub i64);

impl Priority {
    pub const REGRESSION: Self = Self(2);
    pub const BUG: Self = Self(4);
    pub const NORMAL: Self = Self(5);
    pub const FEATURE: Self = Self(6);

    pub const fn get(self) -> i16 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl TryFrom<i64> for Priority {
    type Error = PriorityOutOfRange;

    fn try_from(value: i64) -> Result<Self, Self::Error> {
        match i16::try_from(value) {
            Ok(small @ 0..=9) => Ok(Self(small)),
            _ => Err(PriorityOutOfRange(value)),
        }
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

named_enum! {
    /// What kind of failure ended an attempt; stable, for clients to switch on.
    pub enum FailureCode ("failure code") {
        /// The model server could not be reached, or answered with an error that may pass.
        ModelUnavailable = "model_unavailable",
        /// The model server did not answer in time.
        ModelTimeout = "model_timeout",
        /// The model server asked for patience.
        RateLimited = "rate_limited",
        /// The answer did not fit its schema, even after repair.
        InvalidOutput = "invalid_output",
        /// A setting, key or model name that no retry mends.
        Misconfigured = "misconfigured",
        /// Policy forbids it.
        PolicyViolation = "policy_violation",
        /// The task itself cannot be done as asked.
        InvalidInput = "invalid_input",
        /// The repository could not be read or written.
        RepositoryUnavailable = "repository_unavailable",
        /// The worker lost its lease: it crashed, hung or was cut off.
        LeaseExpired = "lease_expired",
        /// The attempt took longer than it may.
        TimedOut = "timed_out",
        /// A bug of ours; the log has the rest.
        Internal = "internal",
    }
}

/// Why an attempt failed, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: FailureCode,
    /// One sentence, without secrets.
    pub message: String,
}

named_enum! {
    /// Who or what cancelled a task.
    pub enum CancelReason ("cancel reason") {
        /// Somebody asked for it.
        Requested = "requested",
        /// Its run was cancelled.
        RunCancelled = "run_cancelled",
        /// A task that it depends on failed or was cancelled.
        DependencyFailed = "dependency_failed",
        /// Its run took longer than it may.
        RunTimedOut = "run_timed_out",
    }
}

/// What the model calls of a task or run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub requests: i64,
    pub tokens_in: i64,
    pub tokens_out: i64,
    /// Time spent waiting for models, in milliseconds.
    pub model_ms: i64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.tokens_in = self.tokens_in.saturating_add(other.tokens_in);
        self.tokens_out = self.tokens_out.saturating_add(other.tokens_out);
        self.model_ms = self.model_ms.saturating_add(other.model_ms);
    }
}

impl Usage {
    /// What one attempt can have used at most, of anything; more is a server's mistake.
    const MOST: i64 = 1_000_000_000_000;

    /// The same within what can be: the numbers come from servers that may say anything.
    #[must_use]
    pub fn bounded(self) -> Self {
        let bounded = |count: i64| count.clamp(0, Self::MOST);
        Self {
            requests: bounded(self.requests),
            tokens_in: bounded(self.tokens_in),
            tokens_out: bounded(self.tokens_out),
            model_ms: bounded(self.model_ms),
        }
    }
}

/// A task to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    pub id: TaskId,
    pub role: Role,
    pub kind: TaskKind,
    /// What to do, in the words of whoever asked.
    pub description: String,
    /// Input beside the description; [`workflow`](crate::workflow) says its shape for each kind.
    pub payload: Value,
    pub metadata: Value,
    pub priority: Priority,
    /// Tasks of the same run that must complete first.
    pub depends_on: Vec<TaskId>,
    /// False keeps it pending until somebody dispatches it.
    pub dispatch: bool,
    /// Attempts before it is a dead letter; none means the worker's own setting.
    pub max_attempts: Option<i32>,
}

impl NewTask {
    /// A task with defaults for all that is not given.
    pub fn new(role: Role, kind: TaskKind, description: impl Into<String>) -> Self {
        Self {
            id: TaskId::new(),
            role,
            kind,
            description: description.into(),
            payload: Value::Object(serde_json::Map::new()),
            metadata: Value::Object(serde_json::Map::new()),
            priority: Priority::default(),
            depends_on: Vec::new(),
            dispatch: true,
            max_attempts: None,
        }
    }

    /// The status that it starts with in a run that is not paused.
    pub fn first_status(&self) -> TaskStatus {
        if self.dispatch && self.depends_on.is_empty() {
            TaskStatus::Queued
        } else {
            TaskStatus::Pending
        }
    }
}

/// A task as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    pub id: TaskId,
    pub run_id: RunId,
    pub role: Role,
    pub kind: TaskKind,
    pub status: TaskStatus,
    pub description: String,
    pub payload: Value,
    pub metadata: Value,
    pub priority: Priority,
    pub depends_on: Vec<TaskId>,
    /// Whether somebody asked for it to run; false is kept pending.
    pub dispatched: bool,
    /// Attempts begun and not handed back.
    pub attempt: i32,
    pub max_attempts: Option<i32>,
    pub result: Option<Value>,
    /// Why the last attempt failed, if it did.
    pub error: Option<Failure>,
    pub cancel_reason: Option<CancelReason>,
    pub usage: Usage,
    pub worker_id: Option<WorkerId>,
    pub leased_until: Option<DateTime<Utc>>,
    /// Not before this; set while retrying.
    pub run_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub queued_at: Option<DateTime<Utc>>,
    /// When its last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// A task whose lease this worker holds, with what it needs of its run.
///
/// [`settlement`](crate::settlement) consumes it, so that a claim is settled at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedTask {
    pub id: TaskId,
    pub run_id: RunId,
    pub role: Role,
    pub kind: TaskKind,
    pub description: String,
    pub payload: Value,
    pub priority: Priority,
    pub attempt: i32,
    pub max_attempts: i32,
    /// Grows with every claim; a write with an older one is refused.
    pub fence: i64,
    pub created_at: DateTime<Utc>,
    pub queued_at: DateTime<Utc>,
    pub claimed_at: DateTime<Utc>,
    pub run: crate::run::RunFacts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completed_task_never_moves_again() {
        for next in TaskStatus::ALL {
            assert!(!TaskStatus::Completed.may_become(*next), "completed → {next}");
        }
    }

    #[test]
    fn only_a_queued_task_starts_to_run() {
        let before: Vec<_> =
            TaskStatus::ALL.iter().filter(|it| it.may_become(TaskStatus::Running)).collect();
        assert_eq!(before, [&TaskStatus::Queued]);
    }

    #[test]
    fn every_live_task_can_be_cancelled() {
        for status in TaskStatus::LIVE {
            assert!(status.may_become(TaskStatus::Cancelled), "{status} → cancelled");
        }
    }

    #[test]
    fn a_priority_outside_its_range_is_refused() {
        assert_eq!(Priority::try_from(10), Err(PriorityOutOfRange(10)));
        assert_eq!(Priority::try_from(-1), Err(PriorityOutOfRange(-1)));
        assert_eq!(Priority::try_from(0).map(Priority::get), Ok(0));
    }
}
