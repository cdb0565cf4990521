//! What the scheduler counts and measures.
//!
//! What the store knows (tasks, runs, outbox, dead letters) is measured here and nowhere else; every replica measures the
//! same, so take the maximum over them.

use std::time::{Duration, UNIX_EPOCH};

use domain::{message::OutboxMessage, role::Role, run::RunStatus, workflow::Workflow};
use metrics::{Unit, counter, describe_gauge, gauge, histogram};
use telemetry::metrics as names;

const LAST_SUCCESS: &str = "orchestrator_reconciler_last_success_timestamp_seconds";
const QUEUE_MESSAGES: &str = "orchestrator_queue_messages";
const RUNS_LIVE: &str = "orchestrator_runs";

/// Tells the recorder what the scheduler's own metrics mean.
pub(crate) fn describe() {
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "When a background loop last ended a round well, as a Unix time."
    );
    describe_gauge!(QUEUE_MESSAGES, Unit::Count, "Messages that wait in the queue of each role.");
    describe_gauge!(RUNS_LIVE, Unit::Count, "Runs that have not ended, by status.");
}

pub(crate) fn round(reconciler: &'static str, took: Duration, is_ok: bool) {
    let result = if is_ok { "ok" } else { "error" };
    histogram!(names::RECONCILER_ROUND, "reconciler" => reconciler, "result" => result)
        .record(took.as_secs_f64());
}

pub(crate) fn succeeded(reconciler: &'static str) {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default();
    gauge!(LAST_SUCCESS, "reconciler" => reconciler).set(now.as_secs_f64());
}

pub(crate) fn swept(messages: usize) {
    counter!(names::OUTBOX_SWEPT).increment(messages as u64);
}

pub(crate) fn fired(slots: usize, announce: &[OutboxMessage]) {
    counter!(names::SCHEDULE_FIRINGS, "result" => "fired").increment(slots as u64);
    // Tasks of a schedule's run are ready from the start, so each has its message.
    for OutboxMessage { message, .. } in announce {
        counter!(names::TASKS_CREATED, "role" => message.role.name()).increment(1);
        counter!(names::TASKS_DISPATCHED, "role" => message.role.name()).increment(1);
    }
}

pub(crate) fn firing_failed() {
    counter!(names::SCHEDULE_FIRINGS, "result" => "failed").increment(1);
}

pub(crate) fn lease_expired(role: Role, is_last: bool) {
    counter!(names::LEASES_EXPIRED, "role" => role.name()).increment(1);
    let then = if is_last { names::TASKS_DEAD_LETTERED } else { names::TASKS_RETRIED };
    counter!(then, "role" => role.name()).increment(1);
}

pub(crate) fn run_finished(workflow: Workflow, status: RunStatus) {
    counter!(names::RUNS_FINISHED, "workflow" => workflow.name(), "status" => status.name())
        .increment(1);
}

pub(crate) fn queue_depth(role: Role, messages: u64) {
    gauge!(QUEUE_MESSAGES, "role" => role.name())
        .set(to_f64(i64::try_from(messages).unwrap_or(i64::MAX)));
}

/// Everything that one look at the store shows.
pub(crate) fn store(gauges: &store::upkeep::Gauges) {
    use domain::task::TaskStatus;
    for status in TaskStatus::LIVE {
        let count = gauges.tasks.iter().filter(|it| it.1 == *status).map(|it| it.2).sum();
        gauge!(names::TASKS_BY_STATUS, "status" => status.name()).set(to_f64(count));
    }
    for role in Role::ALL {
        let is_queued = |it: &&(Role, TaskStatus, i64)| it.0 == *role && it.1 == TaskStatus::Queued;
        let count = gauges.tasks.iter().filter(is_queued).map(|it| it.2).sum();
        gauge!(names::QUEUE_DEPTH, "role" => role.name()).set(to_f64(count));
    }
    for status in RunStatus::LIVE {
        let count = gauges.runs.iter().filter(|it| it.0 == *status).map(|it| it.1).sum();
        gauge!(RUNS_LIVE, "status" => status.name()).set(to_f64(count));
    }
    let lag =
        gauges.oldest_outbox.map_or(0, |oldest| (gauges.now - oldest).num_milliseconds().max(0));
    gauge!(names::OUTBOX_LAG).set(to_f64(lag) / 1_000.0);
    gauge!(names::OUTBOX_SIZE).set(to_f64(gauges.outbox_rows));
    gauge!(names::DEAD_LETTERS).set(to_f64(gauges.dead_letters));
}

pub(crate) fn pool(state: store::PoolState) {
    gauge!(names::POOL_SIZE, "pool" => "store").set(to_f64(count(state.limit)));
    gauge!(names::POOL_IN_USE, "pool" => "store").set(to_f64(count(state.in_use)));
    gauge!(names::POOL_WAITING, "pool" => "store").set(to_f64(count(state.waiting)));
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn to_f64(count: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge shows 15 digits, which is enough for counts"
    )]
    let float = count as f64;
    float
}
