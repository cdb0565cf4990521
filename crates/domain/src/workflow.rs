//! Workflows: which tasks follow which outcome. Pure rules, one file each.

pub mod grow;

use serde_json::Value;

use crate::{
    named_enum,
    run::RunStatus,
    task::{ClaimedTask, NewTask, TaskKind},
};

named_enum! {
    /// The rules that a run follows.
    pub enum Workflow ("workflow") {
        /// plan → implement → review → decide, on a repository.
        Grow = "grow",
        /// Tasks as they were given; nothing follows but what depends on them.
        Single = "single",
    }
}

impl Workflow {
    /// The kind of task that this workflow begins with.
    pub const fn first_kind(self) -> TaskKind {
        match self {
            Self::Grow => TaskKind::Plan,
            Self::Single => TaskKind::Single,
        }
    }

    pub const fn needs_repository(self) -> bool {
        matches!(self, Self::Grow)
    }
}

/// What follows a completed step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Next {
    pub follow_ups: Vec<NewTask>,
    /// Set where the workflow itself says that the run is over; else the run ends with its last task.
    pub end: Option<RunEnd>,
}

/// How a workflow ends its run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    pub status: RunStatus,
    /// For people and clients: what was decided, and why.
    pub outcome: Value,
}

/// What a completed step produced, typed.
#[derive(Clone, Debug, PartialEq)]
pub enum StepOutput {
    Single,
    Plan(crate::outputs::Plan),
    Implement(grow::Implemented),
    /// The system refused the change before it was committed.
    Refused(Vec<grow::Refusal>),
    Review(crate::outputs::Review),
    Test,
    Decide(crate::outputs::Decision),
}

/// A step whose stored input does not fit its kind: a client's mistake, or a row of another version.
#[derive(Debug, thiserror::Error)]
#[error("the payload of a `{kind}` task is not what such a task takes: {source}")]
pub struct BadInput {
    pub kind: TaskKind,
    #[source]
    pub source: serde_json::Error,
}

/// What follows `task`, given what it produced.
pub fn after(task: &ClaimedTask, output: &StepOutput) -> Result<Next, BadInput> {
    match task.run.workflow {
        Workflow::Single => Ok(Next::default()),
        Workflow::Grow => grow::after(task, output),
    }
}
