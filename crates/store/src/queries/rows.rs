//! Rows as they are read, and what they mean. The only place that can meet data which this version does not understand.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use domain::{
    history::Event,
    ids::TaskId,
    message::{Message, OutboxMessage},
    run::{Run, RunFacts},
    task::{ClaimedTask, Failure, Priority, Task, Usage},
};
use serde_json::Value;

use super::schema;
use crate::{Error, Result, key::Key};

/// Reads a name that the domain gave.
pub(crate) fn named<T: std::str::FromStr>(column: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|_unknown| Error::Corrupt { column, what: format!("`{text}`") })
}

/// Reads a value that the domain wrote as JSON.
pub(crate) fn typed<T: serde::de::DeserializeOwned>(
    column: &'static str,
    json: Value,
) -> Result<T> {
    serde_json::from_value(json).map_err(|error| Error::Corrupt { column, what: error.to_string() })
}

/// A value of the domain as JSON. Such values have string keys and no floats that JSON lacks.
pub(crate) fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("domain values are JSON")
}

/// Text without NUL characters, which Postgres cannot store. What comes from clients is refused for them at the edge; this
/// is for what models and servers say.
pub(crate) fn storable(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::runs)]
pub(crate) struct RunRow {
    pub(crate) id: Key,
    pub(crate) workflow: String,
    pub(crate) status: String,
    pub(crate) goal: String,
    pub(crate) repository: Option<String>,
    pub(crate) base_ref: Option<String>,
    pub(crate) base_commit: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) head_commit: Option<String>,
    pub(crate) source: Value,
    pub(crate) budget: Value,
    pub(crate) priority: i16,
    pub(crate) metadata: Value,
    pub(crate) outcome: Option<Value>,
    pub(crate) requests: i64,
    pub(crate) tokens_in: i64,
    pub(crate) tokens_out: i64,
    pub(crate) model_ms: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// What a change to a run needs of it, once it is locked.
#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::runs)]
pub(crate) struct LockedRun {
    pub(crate) id: Key,
    workflow: String,
    pub(crate) status: String,
    goal: String,
    repository: Option<String>,
    base_ref: Option<String>,
    pub(crate) base_commit: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) head_commit: Option<String>,
    pub(crate) budget: Value,
    pub(crate) requests: i64,
    pub(crate) tokens_in: i64,
    pub(crate) tokens_out: i64,
    pub(crate) model_ms: i64,
    pub(crate) started_at: Option<DateTime<Utc>>,
}

impl LockedRun {
    pub(crate) fn facts(&self) -> Result<RunFacts> {
        Ok(RunFacts {
            workflow: named("runs.workflow", &self.workflow)?,
            goal: self.goal.clone(),
            repository: self.repository.clone(),
            base_ref: self.base_ref.clone(),
            base_commit: self.base_commit.clone(),
            branch: self.branch.clone(),
            head_commit: self.head_commit.clone(),
            budget: typed("runs.budget", self.budget.clone())?,
            usage: Usage {
                requests: self.requests,
                tokens_in: self.tokens_in,
                tokens_out: self.tokens_out,
                model_ms: self.model_ms,
            },
        })
    }
}

impl RunRow {
    pub(crate) fn into_run(self) -> Result<Run> {
        Ok(Run {
            usage: Usage {
                requests: self.requests,
                tokens_in: self.tokens_in,
                tokens_out: self.tokens_out,
                model_ms: self.model_ms,
            },
            id: self.id.into(),
            workflow: named("runs.workflow", &self.workflow)?,
            status: named("runs.status", &self.status)?,
            goal: self.goal,
            repository: self.repository,
            base_ref: self.base_ref,
            base_commit: self.base_commit,
            branch: self.branch,
            head_commit: self.head_commit,
            source: typed("runs.source", self.source)?,
            budget: typed("runs.budget", self.budget)?,
            priority: priority("runs.priority", self.priority)?,
            metadata: self.metadata,
            outcome: self.outcome,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

fn priority(column: &'static str, stored: i16) -> Result<Priority> {
    Priority::try_from(i64::from(stored))
        .map_err(|error| Error::Corrupt { column, what: error.0.to_string() })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::tasks)]
pub(crate) struct TaskRow {
    pub(crate) id: Key,
    pub(crate) run_id: Key,
    pub(crate) role: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) description: String,
    pub(crate) payload: Value,
    pub(crate) metadata: Value,
    pub(crate) priority: i16,
    pub(crate) dispatched: bool,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: Option<i32>,
    pub(crate) result: Option<Value>,
    pub(crate) error_code: Option<String>,
    pub(crate) error_message: Option<String>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) requests: i64,
    pub(crate) tokens_in: i64,
    pub(crate) tokens_out: i64,
    pub(crate) model_ms: i64,
    pub(crate) worker_id: Option<Key>,
    pub(crate) leased_until: Option<DateTime<Utc>>,
    pub(crate) run_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) queued_at: Option<DateTime<Utc>>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl TaskRow {
    pub(crate) fn into_task(self, depends_on: Vec<TaskId>) -> Result<Task> {
        let error = match (self.error_code, self.error_message) {
            (Some(code), message) => Some(Failure {
                code: named("tasks.error_code", &code)?,
                message: message.unwrap_or_default(),
            }),
            (None, _) => None,
        };
        Ok(Task {
            id: self.id.into(),
            run_id: self.run_id.into(),
            role: named("tasks.role", &self.role)?,
            kind: named("tasks.kind", &self.kind)?,
            status: named("tasks.status", &self.status)?,
            description: self.description,
            payload: self.payload,
            metadata: self.metadata,
            priority: priority("tasks.priority", self.priority)?,
            depends_on,
            dispatched: self.dispatched,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            result: self.result,
            error,
            cancel_reason: match self.cancel_reason {
                Some(reason) => Some(named("tasks.cancel_reason", &reason)?),
                None => None,
            },
            usage: Usage {
                requests: self.requests,
                tokens_in: self.tokens_in,
                tokens_out: self.tokens_out,
                model_ms: self.model_ms,
            },
            worker_id: self.worker_id.map(Into::into),
            leased_until: self.leased_until,
            run_at: self.run_at,
            created_at: self.created_at,
            queued_at: self.queued_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

/// What a claim gives back of a task.
#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::tasks)]
pub(crate) struct ClaimRow {
    pub(crate) id: Key,
    pub(crate) run_id: Key,
    role: String,
    kind: String,
    description: String,
    payload: Value,
    priority: i16,
    pub(crate) attempt: i32,
    max_attempts: Option<i32>,
    fence: i64,
    created_at: DateTime<Utc>,
    queued_at: Option<DateTime<Utc>>,
}

impl ClaimRow {
    pub(crate) fn into_claimed(
        self,
        run: RunFacts,
        claimed_at: DateTime<Utc>,
    ) -> Result<ClaimedTask> {
        Ok(ClaimedTask {
            id: self.id.into(),
            run_id: self.run_id.into(),
            role: named("tasks.role", &self.role)?,
            kind: named("tasks.kind", &self.kind)?,
            description: self.description,
            payload: self.payload,
            priority: priority("tasks.priority", self.priority)?,
            attempt: self.attempt,
            max_attempts: self.max_attempts.unwrap_or(self.attempt),
            fence: self.fence,
            created_at: self.created_at,
            queued_at: self.queued_at.unwrap_or(self.created_at),
            claimed_at,
            run,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::events)]
pub(crate) struct EventRow {
    id: i64,
    run_id: Key,
    task_id: Option<Key>,
    at: DateTime<Utc>,
    kind: String,
    attempt: Option<i32>,
    data: Value,
}

impl EventRow {
    pub(crate) fn into_event(self) -> Result<Event> {
        Ok(Event {
            id: self.id,
            at: self.at,
            run_id: self.run_id.into(),
            task_id: self.task_id.map(Into::into),
            kind: named("events.kind", &self.kind)?,
            attempt: self.attempt,
            data: self.data,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::outbox)]
pub(crate) struct OutboxRow {
    id: i64,
    task_id: Key,
    run_id: Key,
    role: String,
    attempt: i32,
}

impl OutboxRow {
    pub(crate) fn into_message(self) -> Result<OutboxMessage> {
        Ok(OutboxMessage {
            id: self.id,
            message: Message {
                task_id: self.task_id.into(),
                run_id: self.run_id.into(),
                role: named("outbox.role", &self.role)?,
                attempt: self.attempt,
            },
        })
    }
}
