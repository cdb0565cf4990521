//! What this service counts; `telemetry::metrics` describes it.

use ::metrics::{counter, gauge};
use domain::{role::Role, task::TaskStatus};
use store::{PoolState, runs::CreatedSet};
use telemetry::metrics::{
    POOL_IN_USE, POOL_SIZE, POOL_WAITING, RUNS_STARTED, TASKS_CANCELLED, TASKS_CREATED,
    TASKS_DISPATCHED,
};

/// Runs and tasks were made.
pub(crate) fn created(set: &CreatedSet) {
    for run in &set.runs {
        counter!(RUNS_STARTED, "workflow" => run.workflow.name()).increment(1);
    }
    for role in Role::ALL {
        let of_role = || set.tasks.iter().filter(|task| task.role == *role);
        let queued = of_role().filter(|task| task.status == TaskStatus::Queued).count();
        count(TASKS_CREATED, *role, of_role().count());
        count(TASKS_DISPATCHED, *role, queued);
    }
}

/// A task that was kept back became queued.
pub(crate) fn dispatched(role: Role) {
    count(TASKS_DISPATCHED, role, 1);
}

/// Somebody cancelled a task.
pub(crate) fn cancelled(role: Role) {
    count(TASKS_CANCELLED, role, 1);
}

/// How the database's connections are used.
pub(crate) fn pool(state: PoolState) {
    let set = |name: &'static str, value: usize| {
        gauge!(name, "pool" => "store").set(u32::try_from(value).map_or(f64::INFINITY, f64::from));
    };
    set(POOL_SIZE, state.limit);
    set(POOL_IN_USE, state.in_use);
    set(POOL_WAITING, state.waiting);
}

fn count(metric: &'static str, role: Role, tasks: usize) {
    if tasks > 0 {
        counter!(metric, "role" => role.name()).increment(tasks as u64);
    }
}
