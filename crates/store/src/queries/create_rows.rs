//! Rows of new runs and tasks.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bool, Integer, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    message::Message,
    run::{NewRun, Run, RunStatus},
    task::{NewTask, Task, TaskStatus, Usage},
};
use serde_json::{Value, json};

use super::{
    dialect::{
        Conn,
        columns::{Id, Js, Ts},
    },
    history::Journal,
    rows::json as to_json,
    schema::{dependencies, runs, tasks},
};
use crate::{Result, error::During, key::Key};

/// A task with its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) run_id: RunId,
    /// A paused run keeps new tasks back.
    pub(crate) paused: bool,
    pub(crate) task: NewTask,
}

impl Placed {
    /// What it depends on, each once and in order.
    fn depends_on(&self) -> Vec<TaskId> {
        let mut ids = self.task.depends_on.clone();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub(crate) fn status(&self) -> TaskStatus {
        if self.paused { TaskStatus::Pending } else { self.task.first_status() }
    }

    /// The task as it is right after its making, which may have queued it.
    pub(crate) fn as_stored(&self, queued: bool, now: DateTime<Utc>) -> Task {
        let status = if queued { TaskStatus::Queued } else { self.status() };
        Task {
            id: self.task.id,
            run_id: self.run_id,
            role: self.task.role,
            kind: self.task.kind,
            status,
            description: self.task.description.clone(),
            payload: self.task.payload.clone(),
            metadata: self.task.metadata.clone(),
            priority: self.task.priority,
            depends_on: self.depends_on(),
            dispatched: self.task.dispatch,
            attempt: 0,
            max_attempts: self.task.max_attempts,
            result: None,
            error: None,
            cancel_reason: None,
            usage: Usage::default(),
            worker_id: None,
            leased_until: None,
            run_at: None,
            created_at: now,
            queued_at: (status == TaskStatus::Queued).then_some(now),
            started_at: None,
            finished_at: None,
        }
    }
}

/// The run as it is right after its making.
pub(crate) fn run_as_stored(run: &NewRun, now: DateTime<Utc>) -> Run {
    Run {
        id: run.id,
        workflow: run.workflow,
        status: RunStatus::Queued,
        goal: run.goal.clone(),
        repository: run.repository.clone(),
        base_ref: run.base_ref.clone(),
        base_commit: None,
        branch: None,
        head_commit: None,
        source: run.source.clone(),
        budget: run.budget,
        usage: Usage::default(),
        priority: run.priority,
        metadata: run.metadata.clone(),
        outcome: None,
        created_at: now,
        started_at: None,
        finished_at: None,
    }
}

new_rows! {
    struct NewRunRow<'a> in runs {
        id: Key as Id,
        workflow: &'static str as Text,
        status: &'static str as Text,
        goal: &'a str as Text,
        repository: Option<&'a str> as Nullable<Text>,
        base_ref: Option<&'a str> as Nullable<Text>,
        source: Value as Js,
        budget: Value as Js,
        priority: i16 as SmallInt,
        metadata: &'a Value as Js,
        created_at: DateTime<Utc> as Ts,
    }
}

new_rows! {
    struct NewTaskRow<'a> in tasks {
        id: Key as Id,
        run_id: Key as Id,
        role: &'static str as Text,
        kind: &'static str as Text,
        status: &'static str as Text,
        description: &'a str as Text,
        payload: &'a Value as Js,
        metadata: &'a Value as Js,
        priority: i16 as SmallInt,
        dispatched: bool as Bool,
        max_attempts: Option<i32> as Nullable<Integer>,
        announced_at: Option<DateTime<Utc>> as Nullable<Ts>,
        created_at: DateTime<Utc> as Ts,
        queued_at: Option<DateTime<Utc>> as Nullable<Ts>,
    }
}

new_rows! {
    struct NewDependency in dependencies {
        task_id: Key as Id,
        depends_on: Key as Id,
    }
}

/// Inserts runs, without their tasks.
pub(crate) async fn insert_runs(
    conn: &mut Conn,
    new: &[&NewRun],
    journal: &mut Journal,
) -> Result<()> {
    let rows: Vec<_> = new
        .iter()
        .map(|run| NewRunRow {
            id: run.id.into(),
            workflow: run.workflow.name(),
            status: RunStatus::Queued.name(),
            goal: &run.goal,
            repository: run.repository.as_deref(),
            base_ref: run.base_ref.as_deref(),
            source: to_json(&run.source),
            budget: to_json(&run.budget),
            priority: run.priority.get(),
            metadata: &run.metadata,
            created_at: journal.now,
        })
        .collect();
    insert_all!(conn, runs::table, rows, "insert runs");
    for run in new {
        let data = json!({ "workflow": run.workflow, "source": run.source });
        journal.run(run.id, EventKind::RunCreated, data);
    }
    Ok(())
}

/// Inserts tasks; gives back the messages of those that are queued.
pub(crate) async fn insert_tasks(
    conn: &mut Conn,
    new: &[Placed],
    journal: &mut Journal,
) -> Result<Vec<Message>> {
    let mut rows: Vec<_> = new.iter().map(|placed| task_row(placed, journal.now)).collect();
    // In one order, so that two transactions with the same ids do not wait for each other in a circle.
    rows.sort_unstable_by_key(|row| row.id);
    insert_all!(conn, tasks::table, rows, "insert tasks");
    let edges: Vec<_> = new
        .iter()
        .flat_map(|placed| {
            let task_id = placed.task.id.into();
            placed
                .depends_on()
                .into_iter()
                .map(move |on| NewDependency { task_id, depends_on: on.into() })
        })
        .collect();
    insert_all!(conn, dependencies::table, edges, "insert dependencies");
    for placed in new {
        let data = json!({ "status": placed.status(), "role": placed.task.role, "kind": placed.task.kind });
        journal.task((placed.run_id, placed.task.id), EventKind::TaskCreated, 0, data);
    }
    let queued = new.iter().filter(|placed| placed.status() == TaskStatus::Queued);
    Ok(queued
        .map(|placed| Message {
            task_id: placed.task.id,
            run_id: placed.run_id,
            role: placed.task.role,
            attempt: 1,
        })
        .collect())
}

fn task_row(placed: &Placed, now: DateTime<Utc>) -> NewTaskRow<'_> {
    let task = &placed.task;
    let status = placed.status();
    let queued_at = (status == TaskStatus::Queued).then_some(now);
    NewTaskRow {
        id: task.id.into(),
        run_id: placed.run_id.into(),
        role: task.role.name(),
        kind: task.kind.name(),
        status: status.name(),
        description: &task.description,
        payload: &task.payload,
        metadata: &task.metadata,
        priority: task.priority.get(),
        dispatched: task.dispatch,
        max_attempts: task.max_attempts,
        announced_at: queued_at,
        created_at: now,
        queued_at,
    }
}
