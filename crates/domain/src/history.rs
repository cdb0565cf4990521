//! History: what happened to tasks and runs, append-only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::{
    ids::{RunId, TaskId},
    named_enum,
};

named_enum! {
    /// What happened.
    pub enum EventKind ("history event") {
        RunCreated = "run.created",
        RunStarted = "run.started",
        RunWaiting = "run.waiting",
        RunPaused = "run.paused",
        RunResumed = "run.resumed",
        RunCompleted = "run.completed",
        RunFailed = "run.failed",
        RunCancelled = "run.cancelled",
        /// A failed run lives again because one of its tasks was replayed.
        RunReopened = "run.reopened",
        TaskCreated = "task.created",
        TaskUpdated = "task.updated",
        /// Became ready: dispatched, or its last dependency completed, or its backoff ended.
        TaskQueued = "task.queued",
        /// Kept back, because its run was paused.
        TaskHeld = "task.held",
        TaskStarted = "task.started",
        TaskCompleted = "task.completed",
        /// An attempt failed and another will follow.
        TaskRetrying = "task.retrying",
        /// Failed for good: a dead letter.
        TaskFailed = "task.failed",
        TaskCancelled = "task.cancelled",
        /// A worker stopped and gave it back.
        TaskHandedBack = "task.handed_back",
        /// Its lease ran out.
        TaskLeaseExpired = "task.lease_expired",
        /// A late result of an older attempt was refused.
        TaskFenced = "task.fenced",
        TaskReplayed = "task.replayed",
        /// A cancelled task waits again, because what it depends on was replayed.
        TaskRevived = "task.revived",
        /// Removed; its run keeps what happened to it.
        TaskDeleted = "task.deleted",
        DeadLetterPurged = "dead_letter.purged",
    }
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Grows with time; the `Last-Event-ID` of event streams.
    pub id: i64,
    pub at: DateTime<Utc>,
    pub run_id: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    pub kind: EventKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// What the kind says more of; an object.
    pub data: Value,
}
