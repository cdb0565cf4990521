//! Runs: creation with all that belongs to it, and what clients ask of them.

use chrono::{DateTime, Utc};
use domain::{
    delivery::NewDelivery,
    ids::{RunId, ScheduleId, TaskId},
    message::OutboxMessage,
    run::{NewRun, Run, RunStatus},
    task::Task,
    workflow::Workflow,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Page, PageRequest, Result, operations::operations, tasks::AddedTask};

/// Something to be created as a whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Creation {
    pub guard: Guard,
    pub runs: Vec<NewRun>,
    /// Tasks for runs that exist already.
    pub tasks: Vec<AddedTask>,
}

impl Creation {
    /// The run that it makes, where it makes one.
    pub fn run_id(&self) -> Option<RunId> {
        self.runs.first().map(|run| run.id)
    }
}

/// What makes a creation happen once.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// Nothing: every call creates.
    None,
    /// The client's `Idempotency-Key`.
    Idempotency {
        /// Who asks; keys of different clients do not meet.
        principal: String,
        key: String,
        /// SHA-256 of the route and the body.
        fingerprint: Vec<u8>,
    },
    /// GitHub's delivery id. The delivery is stored with what it starts.
    Delivery(NewDelivery),
    /// A delivery that waits to be taken again, and why nothing follows, where nothing does.
    Redelivery { id: String, skip_reason: Option<String> },
    /// A slot of a schedule.
    Slot { schedule_id: ScheduleId, slot: DateTime<Utc> },
}

/// What was created, as it was at that moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CreatedSet {
    pub runs: Vec<Run>,
    pub tasks: Vec<Task>,
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    New {
        set: CreatedSet,
        announce: Vec<OutboxMessage>,
    },
    /// The same key came with the same request before: its answer.
    Replayed(CreatedSet),
    /// The same key came with another request before.
    KeyReused,
    /// The delivery is known, or the slot has fired, or nobody asked for this redelivery.
    Duplicate,
    /// These ids, chosen by the client, exist already.
    Conflict(Vec<String>),
    RunMissing(RunId),
    /// Its run has ended.
    RunEnded(RunId, RunStatus),
    /// A dependency that is neither in its run nor in this creation, or leads around a circle.
    BadDependency {
        task: TaskId,
        depends_on: TaskId,
    },
    /// The database does not take it, and never will; the log says why.
    Rejected,
}

/// The answer to a creation that was tried by itself.
pub(crate) fn alone(answer: Result<Vec<Created>>) -> Result<Vec<Created>> {
    match answer {
        Err(Error::Conflict { ids }) => Ok(vec![Created::Conflict(ids)]),
        Err(error @ Error::Query { .. }) if !error.is_transient() => {
            tracing::error!("A creation cannot be stored: {}", error.chain());
            Ok(vec![Created::Rejected])
        }
        answer => answer,
    }
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    pub status: Option<RunStatus>,
    pub workflow: Option<Workflow>,
    pub repository: Option<String>,
}

/// What became of a change to a run that somebody asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum RunChanged {
    Done {
        run: Box<Run>,
        announce: Vec<OutboxMessage>,
    },
    Missing,
    /// Its status does not allow it.
    NotNow(RunStatus),
}

operations! {
    /// Creates many things in one transaction. Each is whole or not there, and none hinders another.
    /// The answers are in the order of the request.
    batch create(creations: Vec<Creation>) -> Vec<Created> = create::create;

    read find_run(id: RunId) -> Option<Run> = runs::find;

    read list_runs(filter: RunFilter, page: PageRequest) -> Page<Run> = runs::list;

    /// Every task of a run, in the order of their making.
    read tasks_of_run(id: RunId) -> Vec<Task> = tasks::of_run;

    /// Cancels a run and its live tasks; workers stop what they run of it.
    write cancel_run(id: RunId) -> RunChanged = runs::cancel;

    /// Keeps back what has not begun; running attempts go on to their end.
    write pause_run(id: RunId) -> RunChanged = runs::pause;

    write resume_run(id: RunId) -> RunChanged = runs::resume;

    /// Replays every failed task of a failed run.
    write retry_run(id: RunId) -> RunChanged = dead_letters::retry_run;
}
