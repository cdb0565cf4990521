//! What webhook-ingest counts. Labels come from closed lists only.

use std::time::Duration;

use domain::task::TaskStatus;
use metrics::{counter, histogram};
use store::runs::CreatedSet;
use telemetry::metrics as names;

/// A delivery that was refused before it was read as a whole.
pub(crate) fn refused(event: &'static str, result: &'static str) {
    counter!(names::DELIVERIES, "event" => event, "result" => result).increment(1);
}

/// A verified delivery, whatever became of it.
pub(crate) fn answered(event: &'static str, result: &'static str, took: Duration) {
    counter!(names::DELIVERIES, "event" => event, "result" => result).increment(1);
    histogram!(names::DELIVERY_ANSWER, "result" => result).record(took.as_secs_f64());
}

pub(crate) fn created(set: &CreatedSet) {
    for run in &set.runs {
        counter!(names::RUNS_STARTED, "workflow" => run.workflow.name()).increment(1);
    }
    for task in &set.tasks {
        counter!(names::TASKS_CREATED, "role" => task.role.name()).increment(1);
        if task.status == TaskStatus::Queued {
            counter!(names::TASKS_DISPATCHED, "role" => task.role.name()).increment(1);
        }
    }
}
