//! Every metric that services record: the closed list. `docs/metrics.md` shows the same to operators.
//!
//! What the database knows (tasks queued, outbox, dead letters) is measured by the scheduler alone; what a process does
//! (outcomes, durations, pool) by that process. The queue and llm crates declare `orchestrator_queue_*` and
//! `orchestrator_llm_*` themselves.

use metrics::Unit::{self, Count, Seconds};

pub const TASKS_CREATED: &str = "orchestrator_tasks_created_total";
pub const TASKS_DISPATCHED: &str = "orchestrator_tasks_dispatched_total";
pub const TASKS_COMPLETED: &str = "orchestrator_tasks_completed_total";
pub const TASKS_FAILED: &str = "orchestrator_tasks_failed_total";
pub const TASKS_RETRIED: &str = "orchestrator_tasks_retried_total";
pub const TASKS_DEAD_LETTERED: &str = "orchestrator_tasks_dead_lettered_total";
pub const TASKS_CANCELLED: &str = "orchestrator_tasks_cancelled_total";
pub const TASKS_HANDED_BACK: &str = "orchestrator_tasks_handed_back_total";
pub const TASKS_RUNNING: &str = "orchestrator_tasks_running";
pub const TASKS_BY_STATUS: &str = "orchestrator_tasks";
pub const QUEUE_DEPTH: &str = "orchestrator_tasks_queued";

pub const QUEUE_WAIT: &str = "orchestrator_task_queue_wait_seconds";
pub const CLAIM: &str = "orchestrator_task_claim_seconds";
pub const EXECUTION: &str = "orchestrator_task_execution_seconds";
pub const END_TO_END: &str = "orchestrator_task_end_to_end_seconds";

pub const RUNS_STARTED: &str = "orchestrator_runs_started_total";
pub const RUNS_FINISHED: &str = "orchestrator_runs_finished_total";
pub const TOOL_CALLS: &str = "orchestrator_tool_calls_total";

pub const DELIVERIES: &str = "orchestrator_deliveries_total";
pub const DELIVERY_ANSWER: &str = "orchestrator_delivery_answer_seconds";

pub const LEASES_EXPIRED: &str = "orchestrator_leases_expired_total";
pub const RESULTS_FENCED: &str = "orchestrator_results_fenced_total";
pub const OUTBOX_LAG: &str = "orchestrator_outbox_lag_seconds";
pub const OUTBOX_SIZE: &str = "orchestrator_outbox_messages";
pub const OUTBOX_SWEPT: &str = "orchestrator_outbox_swept_total";
pub const DEAD_LETTERS: &str = "orchestrator_dead_letters";
pub const SCHEDULE_FIRINGS: &str = "orchestrator_schedule_firings_total";
pub const RECONCILER_ROUND: &str = "orchestrator_reconciler_round_seconds";

pub const POOL_IN_USE: &str = "orchestrator_pool_connections_in_use";
pub const POOL_SIZE: &str = "orchestrator_pool_connections";
pub const POOL_WAITING: &str = "orchestrator_pool_waiting";

/// The web crate records it, under this name.
pub const HTTP_REQUESTS: &str = "orchestrator_http_requests_seconds";
pub const BUILD_INFO: &str = "orchestrator_build_info";

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Spread over buckets.
    Histogram,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Count, labels, help }
}

const fn gauge(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, labels, help }
}

const fn seconds(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Seconds, labels, help }
}

/// Every metric, in the order of a task's life.
pub const ALL: &[Metric] = &[
    counter(TASKS_CREATED, &["role"], "Tasks created."),
    counter(TASKS_DISPATCHED, &["role"], "Tasks that became queued for the first time."),
    counter(TASKS_COMPLETED, &["role"], "Tasks completed."),
    counter(TASKS_FAILED, &["role", "error"], "Attempts that ended in an error, by its kind."),
    counter(TASKS_RETRIED, &["role"], "Attempts after which the task waits for another."),
    counter(
        TASKS_DEAD_LETTERED,
        &["role"],
        "Tasks that failed for good and lie in the dead letters.",
    ),
    counter(TASKS_CANCELLED, &["role"], "Tasks cancelled."),
    counter(
        TASKS_HANDED_BACK,
        &["role"],
        "Tasks that a stopping worker gave back, no attempt burned.",
    ),
    gauge(TASKS_RUNNING, Count, &["role"], "Attempts that this worker executes now."),
    gauge(TASKS_BY_STATUS, Count, &["status"], "Tasks in the store that are not final, by status."),
    gauge(QUEUE_DEPTH, Count, &["role"], "Tasks queued and not claimed."),
    seconds(QUEUE_WAIT, &["role"], "From queued to claimed."),
    seconds(
        CLAIM,
        &[],
        "One transaction that claimed, for however many tasks, with what it settled.",
    ),
    seconds(EXECUTION, &["role", "outcome"], "One attempt, from claimed to its outcome."),
    seconds(END_TO_END, &["role"], "From created to final."),
    counter(RUNS_STARTED, &["workflow"], "Runs started."),
    counter(RUNS_FINISHED, &["workflow", "status"], "Runs that reached their end."),
    counter(TOOL_CALLS, &["tool", "outcome"], "Tool calls of agents."),
    counter(
        DELIVERIES,
        &["event", "result"],
        "Webhook deliveries: accepted, duplicate, skipped, unsigned, bad_signature, too_large, malformed or failed.",
    ),
    seconds(DELIVERY_ANSWER, &["result"], "From the last byte of a delivery to its answer."),
    counter(LEASES_EXPIRED, &["role"], "Leases that ran out and were rescued."),
    counter(
        RESULTS_FENCED,
        &["role"],
        "Late results refused because the lease was no longer held.",
    ),
    gauge(OUTBOX_LAG, Seconds, &[], "Age of the oldest message in the outbox."),
    gauge(OUTBOX_SIZE, Count, &[], "Messages in the outbox."),
    counter(OUTBOX_SWEPT, &[], "Messages that the scheduler published because nobody else had."),
    gauge(DEAD_LETTERS, Count, &[], "Tasks in the dead letters."),
    counter(SCHEDULE_FIRINGS, &["result"], "Slots of schedules: fired, skipped or failed."),
    seconds(
        RECONCILER_ROUND,
        &["reconciler", "result"],
        "One round of a background loop of the scheduler.",
    ),
    gauge(POOL_IN_USE, Count, &["pool"], "Database connections lent out."),
    gauge(POOL_SIZE, Count, &["pool"], "Database connections open."),
    gauge(POOL_WAITING, Count, &["pool"], "Requests that wait for a database connection."),
    seconds(
        HTTP_REQUESTS,
        &["route", "method", "status"],
        "HTTP requests, status by class as 2xx.",
    ),
    gauge(BUILD_INFO, Count, &["service", "version"], "Always 1; its labels say what runs."),
];

/// Tells the installed recorder what each metric means.
pub(crate) fn describe_all() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_say_what_kind_of_metric_it_is_and_none_is_there_twice() {
        let mut seen = BTreeSet::new();
        for Metric { name, kind, unit, help, .. } in ALL {
            assert!(seen.insert(name), "{name} is declared twice");
            assert!(name.starts_with("orchestrator_"), "{name}");
            assert!(help.ends_with('.'), "{name}: `{help}` is no sentence");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(*unit == Seconds, name.ends_with("_seconds"), "{name}");
        }
    }

    #[test]
    fn the_page_for_operators_has_a_row_for_each_metric() {
        let page = include_str!("../../../docs/metrics.md");
        for Metric { name, kind, labels, help, .. } in ALL {
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            let row = format!("| `{name}` | {} | {labels} | {help} |", kind.name());
            assert!(page.lines().any(|line| line == row), "docs/metrics.md lacks this row:\n{row}");
        }
    }
}
