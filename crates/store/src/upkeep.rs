//! What the scheduler does, each a bounded batch that is safe in any number of replicas.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    ids::{RunId, TaskId},
    message::OutboxMessage,
    retry::RetryPolicy,
    role::Role,
    run::RunStatus,
    task::TaskStatus,
};

use crate::operations::operations;

/// What a rescue did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Tasks that will be tried again.
    pub retried: Vec<TaskId>,
    /// Tasks whose last attempt it was.
    pub failed: Vec<TaskId>,
    pub announce: Vec<OutboxMessage>,
}

/// How long finished things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Runs, with their tasks, history and transcripts, after their end.
    pub runs: Duration,
    pub deliveries: Duration,
    /// Answers to requests with an Idempotency-Key.
    pub idempotency: Duration,
}

/// Rows that retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub runs: u64,
    pub deliveries: u64,
    pub idempotency: u64,
}

/// What the gauges show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Live tasks only: counting finished ones would read the whole table.
    pub tasks: Vec<(Role, TaskStatus, i64)>,
    /// Live runs only.
    pub runs: Vec<(RunStatus, i64)>,
    pub outbox_rows: i64,
    pub oldest_outbox: Option<DateTime<Utc>>,
    pub dead_letters: i64,
    pub now: DateTime<Utc>,
}

operations! {
    /// Outbox rows that are older than `age`, left behind by a process that stopped before it published them.
    read left_behind(age: Duration, limit: u32) -> Vec<OutboxMessage> = outbox::left_behind;

    /// Forgets outbox rows whose message the broker has confirmed.
    write forget_published(ids: Vec<i64>) -> () = outbox::delete;

    /// Announces anew what has been queued and unclaimed for `age` since its last announcement.
    write announce_again(age: Duration, limit: u32) -> Vec<OutboxMessage> = outbox::announce_again;

    /// Queues retrying tasks whose backoff has ended.
    write promote_due(limit: u32) -> Vec<OutboxMessage> = upkeep::promote_due;

    /// Ends attempts whose lease ran out.
    write rescue_expired(policy: RetryPolicy, limit: u32) -> Rescued = upkeep::rescue_expired;

    /// Ends runs that took longer than their budget, or than `longest` where they have none.
    write time_out_runs(longest: Option<Duration>, limit: u32) -> Vec<RunId> = upkeep::time_out_runs;

    /// Removes up to `limit` of each kind of thing that is older than it is kept.
    write remove_old(retention: Retention, limit: u32) -> Removed = upkeep::remove_old;

    read gauges() -> Gauges = upkeep::gauges;
}
