//! History: append-only, read by task, by run, or as a stream.

use domain::{
    history::Event,
    ids::{RunId, TaskId},
};

use crate::operations::operations;

operations! {
    /// Every event of a task, in order; empty where it never existed.
    read task_history(id: TaskId) -> Vec<Event> = history::of_task;

    /// Up to `limit` events of a run after the event `after`, in order. Whoever appends to a run's history holds its lock, so
    /// a reader that goes on from the last id it saw misses none.
    read run_events(id: RunId, after: i64, limit: u32) -> Vec<Event> = history::of_run;
}
