//! A task as clients see it.

use chrono::{DateTime, Utc};
use domain::{
    ids::{RunId, TaskId, WorkerId},
    role::Role,
    task::{CancelReason, Failure, FailureCode, Task, TaskKind, TaskStatus, Usage},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::names::{CancelReasonName, FailureCodeName, RoleName, TaskKindName, TaskStatusName};

/// One agent invocation inside a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Task)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskView {
    #[schema(value_type = Uuid)]
    pub(crate) id: TaskId,
    #[schema(value_type = Uuid)]
    pub(crate) run_id: RunId,
    #[schema(value_type = RoleName)]
    role: Role,
    #[schema(value_type = TaskKindName)]
    kind: TaskKind,
    #[schema(value_type = TaskStatusName)]
    status: TaskStatus,
    /// What to do, in the words of whoever asked.
    description: String,
    /// Input beside the description.
    #[schema(value_type = Object)]
    payload: Value,
    #[schema(value_type = Object)]
    metadata: Value,
    /// 0 first, 9 last.
    #[schema(minimum = 0, maximum = 9)]
    priority: i16,
    /// Tasks of the same run that must complete first.
    #[schema(value_type = Vec<Uuid>)]
    depends_on: Vec<TaskId>,
    /// Whether somebody asked for it to run; false is kept pending.
    dispatched: bool,
    /// Attempts begun and not handed back.
    #[schema(minimum = 0)]
    attempt: i32,
    /// Attempts before it is a dead letter; null is the worker's own setting.
    max_attempts: Option<i32>,
    /// What it produced, once it has completed.
    result: Option<Value>,
    /// Why the last attempt failed, if it did.
    error: Option<FailureView>,
    #[schema(value_type = Option<CancelReasonName>)]
    cancel_reason: Option<CancelReason>,
    usage: UsageView,
    /// The worker that runs it.
    #[schema(value_type = Option<Uuid>)]
    worker_id: Option<WorkerId>,
    leased_until: Option<DateTime<Utc>>,
    /// Not before this; set while it is retrying.
    run_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    queued_at: Option<DateTime<Utc>>,
    /// When its last attempt began.
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            run_id: task.run_id,
            role: task.role,
            kind: task.kind,
            status: task.status,
            description: task.description,
            payload: task.payload,
            metadata: task.metadata,
            priority: task.priority.get(),
            depends_on: task.depends_on,
            dispatched: task.dispatched,
            attempt: task.attempt,
            max_attempts: task.max_attempts,
            result: task.result,
            error: task.error.map(FailureView::from),
            cancel_reason: task.cancel_reason,
            usage: task.usage.into(),
            worker_id: task.worker_id,
            leased_until: task.leased_until,
            run_at: task.run_at,
            created_at: task.created_at,
            queued_at: task.queued_at,
            started_at: task.started_at,
            finished_at: task.finished_at,
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureView {
    #[schema(value_type = FailureCodeName)]
    code: FailureCode,
    /// One sentence, for a person.
    message: String,
}

impl From<Failure> for FailureView {
    fn from(Failure { code, message }: Failure) -> Self {
        Self { code, message }
    }
}

/// What model calls used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageView {
    requests: i64,
    tokens_in: i64,
    tokens_out: i64,
    /// Milliseconds spent waiting for models.
    model_ms: i64,
}

impl From<Usage> for UsageView {
    fn from(Usage { requests, tokens_in, tokens_out, model_ms }: Usage) -> Self {
        Self { requests, tokens_in, tokens_out, model_ms }
    }
}
