//! Steps: what an attempt does for each kind of task. A step asks the agent and carries out what it answers; what follows is
//! the workflow's to say.
//!
//! Nothing here holds a connection of the store while it works. A step may be dropped at any await, and begun again by another
//! worker: whatever it does outside (a push, above all) is looked for before it is done.

mod decide;
mod implement;
mod plan;
mod review;
mod single;

mod context;
mod desk;
mod diff;
mod error;
mod files;

use domain::{
    settlement::{Outcome, RunProgress, Spent},
    task::{ClaimedTask, TaskKind},
    workflow::{self, StepOutput},
};
use serde_json::Value;

use crate::{Inner, running::Lease};
use desk::Desk;
use error::StepError;

/// How a step ended, and what it cost.
pub(crate) struct Stepped {
    pub(crate) outcome: Outcome,
    pub(crate) spent: Spent,
}

/// What a step has done.
struct Done {
    /// The task's result, as clients see it.
    result: Value,
    /// The same for the workflow.
    output: StepOutput,
    run: RunProgress,
}

/// Does what a task asks for.
pub(crate) async fn run(worker: &Inner, task: &ClaimedTask, lease: &Lease) -> Stepped {
    let mut desk = Desk::new(worker, task, lease);
    let done = match task.kind {
        TaskKind::Single => single::run(&mut desk).await,
        TaskKind::Plan => plan::run(&mut desk).await,
        TaskKind::Implement => implement::run(&mut desk).await,
        TaskKind::Review => review::run(&mut desk).await,
        TaskKind::Decide => decide::run(&mut desk).await,
        TaskKind::Test => Err(StepError::InvalidInput(
            "a test task needs an agent that runs commands, which this version has not".to_owned(),
        )),
    };
    let outcome =
        done.and_then(|done| complete(task, done)).unwrap_or_else(StepError::into_outcome);
    Stepped { outcome, spent: desk.into_spent() }
}

fn complete(task: &ClaimedTask, done: Done) -> Result<Outcome, StepError> {
    let next = workflow::after(task, &done.output)?;
    Ok(Outcome::Completed { result: done.result, next, run: done.run })
}
