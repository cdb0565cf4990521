//! What the worker counts and measures, under the names that [`telemetry::metrics`] declares.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    message::OutboxMessage,
    settlement::{Change, Settlement},
    task::ClaimedTask,
};
use metrics::{counter, gauge, histogram};
use store::PoolState;
use telemetry::metrics::{
    CLAIM, END_TO_END, EXECUTION, POOL_IN_USE, POOL_SIZE, POOL_WAITING, QUEUE_WAIT, RESULTS_FENCED,
    TASKS_COMPLETED, TASKS_CREATED, TASKS_DEAD_LETTERED, TASKS_DISPATCHED, TASKS_FAILED,
    TASKS_HANDED_BACK, TASKS_RETRIED,
};

/// One statement that claimed tasks.
pub(crate) fn claimed(elapsed: Duration, tasks: &[ClaimedTask]) {
    histogram!(CLAIM).record(elapsed);
    for task in tasks {
        started(task);
    }
}

/// An attempt begins.
pub(crate) fn started(task: &ClaimedTask) {
    histogram!(QUEUE_WAIT, "role" => task.role.name())
        .record(between(task.queued_at, task.claimed_at));
}

/// An attempt ended in the way that `outcome` names.
pub(crate) fn executed(task: &ClaimedTask, outcome: &'static str, elapsed: Duration) {
    histogram!(EXECUTION, "role" => task.role.name(), "outcome" => outcome).record(elapsed);
}

/// A settlement was applied. `age` is how long ago its task was created.
pub(crate) fn settled(settlement: &Settlement, age: Duration) {
    let role = settlement.role.name();
    match &settlement.change {
        Change::Completed { follow_ups, .. } => {
            counter!(TASKS_COMPLETED, "role" => role).increment(1);
            for task in follow_ups {
                counter!(TASKS_CREATED, "role" => task.role.name()).increment(1);
            }
        }
        Change::Retrying { failure, .. } => {
            counter!(TASKS_FAILED, "role" => role, "error" => failure.code.name()).increment(1);
            counter!(TASKS_RETRIED, "role" => role).increment(1);
        }
        Change::Failed { failure, .. } => {
            counter!(TASKS_FAILED, "role" => role, "error" => failure.code.name()).increment(1);
            counter!(TASKS_DEAD_LETTERED, "role" => role).increment(1);
        }
        Change::HandedBack => counter!(TASKS_HANDED_BACK, "role" => role).increment(1),
    }
    if is_final(&settlement.change) {
        histogram!(END_TO_END, "role" => role).record(age);
    }
}

/// A result was refused, since its lease was no longer held.
pub(crate) fn fenced(settlement: &Settlement) {
    counter!(RESULTS_FENCED, "role" => settlement.role.name()).increment(1);
}

/// Follow-ups became ready: claimed by this worker, or announced to all.
pub(crate) fn dispatched(claimed: &[ClaimedTask], announced: &[OutboxMessage]) {
    let ours = claimed.iter().map(|it| (it.role, it.attempt));
    let others = announced.iter().map(|it| (it.message.role, it.message.attempt));
    // A later attempt was dispatched before: it has been handed back.
    for (role, _) in ours.chain(others).filter(|(_, attempt)| *attempt == 1) {
        counter!(TASKS_DISPATCHED, "role" => role.name()).increment(1);
    }
}

/// How the store's connections are used at this moment.
pub(crate) fn pool(state: PoolState) {
    for (name, value) in
        [(POOL_SIZE, state.limit), (POOL_IN_USE, state.in_use), (POOL_WAITING, state.waiting)]
    {
        gauge!(name, "pool" => "store").set(u32::try_from(value).map_or(f64::INFINITY, f64::from));
    }
}

/// From one time of the store to a later one.
pub(crate) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

const fn is_final(change: &Change) -> bool {
    match change {
        Change::Completed { .. } | Change::Failed { .. } => true,
        Change::Retrying { .. } | Change::HandedBack => false,
    }
}
