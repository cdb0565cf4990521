//! A run as clients see it.

use chrono::{DateTime, Utc};
use domain::{
    ids::{RunId, ScheduleId},
    run::{Budget, Run, RunStatus},
    trigger::{EventKind, Source},
    workflow::Workflow,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    names::{EventKindName, RunStatusName, WorkflowName},
    tasks::UsageView,
};

/// One piece of work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunView {
    #[schema(value_type = Uuid)]
    pub(crate) id: RunId,
    #[schema(value_type = WorkflowName)]
    workflow: Workflow,
    #[schema(value_type = RunStatusName)]
    status: RunStatus,
    goal: String,
    /// `owner/name`, a git URL or a local path; null for work without a repository.
    repository: Option<String>,
    /// Where it began; null is the repository's default branch.
    base_ref: Option<String>,
    /// The commit on which the work is based, once it is known.
    base_commit: Option<String>,
    /// The branch that the work is pushed to, once there is one.
    branch: Option<String>,
    /// The newest commit pushed to `branch`.
    head_commit: Option<String>,
    source: SourceView,
    budget: BudgetView,
    usage: UsageView,
    /// 0 first, 9 last.
    #[schema(minimum = 0, maximum = 9)]
    priority: i16,
    #[schema(value_type = Object)]
    metadata: Value,
    /// What came of it, once it has ended; the workflow says its shape.
    outcome: Option<Value>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            workflow: run.workflow,
            status: run.status,
            goal: run.goal,
            repository: run.repository,
            base_ref: run.base_ref,
            base_commit: run.base_commit,
            branch: run.branch,
            head_commit: run.head_commit,
            source: run.source.into(),
            budget: run.budget.into(),
            usage: run.usage.into(),
            priority: run.priority.get(),
            metadata: run.metadata,
            outcome: run.outcome,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }
}

/// What a run may use; what is left out has no bound.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BudgetView {
    /// Tokens in and out, together.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<i64>,
    /// Minutes from its first attempt to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_minutes: Option<i64>,
    /// Implement and review rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_rounds: Option<i32>,
}

impl From<Budget> for BudgetView {
    fn from(Budget { max_tokens, max_minutes, max_rounds }: Budget) -> Self {
        Self { max_tokens, max_minutes, max_rounds }
    }
}

/// Where a run came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum SourceView {
    /// A call of the API, or the command line.
    Api,
    /// A GitHub delivery.
    #[serde(rename_all = "camelCase")]
    Webhook {
        delivery_id: String,
        event: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// The issue or pull request that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<i64>,
    },
    /// A slot of a schedule.
    #[serde(rename_all = "camelCase")]
    Schedule {
        #[schema(value_type = Uuid)]
        schedule_id: ScheduleId,
        slot: DateTime<Utc>,
    },
    /// An event from a CI job.
    Event {
        #[schema(value_type = EventKindName)]
        event: EventKind,
    },
}

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        match source {
            Source::Api => Self::Api,
            Source::Webhook { delivery_id, event, action, number } => {
                Self::Webhook { delivery_id, event, action, number }
            }
            Source::Schedule { schedule_id, slot } => Self::Schedule { schedule_id, slot },
            Source::Event { event } => Self::Event { event },
        }
    }
}
