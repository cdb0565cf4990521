//! What the queue counts: every metric of this crate, described.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::{PublishError, status::Purpose};

const PUBLISHED: &str = "orchestrator_queue_published_total";
const DELIVERED: &str = "orchestrator_queue_delivered_total";
const RECONNECTS: &str = "orchestrator_queue_reconnects_total";
const CONNECTED: &str = "orchestrator_queue_connected";

/// Tells the recorder what each metric means.
pub(crate) fn describe() {
    describe_counter!(
        PUBLISHED,
        Unit::Count,
        "Messages that were to be published, by result: confirmed, or why they are not known to be safe"
    );
    describe_counter!(
        DELIVERED,
        Unit::Count,
        "Messages handed to a consumer, repeated ones included"
    );
    describe_counter!(
        RECONNECTS,
        Unit::Count,
        "Connections to the broker that had worked, were given up and are being rebuilt, by purpose"
    );
    describe_gauge!(CONNECTED, Unit::Count, "Connections to the broker that work, by purpose");
}

/// Counts what became of one batch.
pub(crate) fn published(outcomes: &[Result<(), PublishError>]) {
    let name = |it: &Result<(), PublishError>| {
        it.as_ref().map_or_else(PublishError::name, |()| "confirmed")
    };
    // A batch mostly has one result: one lookup for each run of equal ones.
    for run in outcomes.chunk_by(|a, b| name(a) == name(b)) {
        counter!(PUBLISHED, "result" => name(&run[0])).increment(run.len() as u64);
    }
}

pub(crate) fn delivered(count: usize) {
    counter!(DELIVERED).increment(count as u64);
}

pub(crate) fn reconnects(purpose: Purpose) -> Counter {
    counter!(RECONNECTS, "purpose" => purpose.name())
}

pub(crate) fn connected(purpose: Purpose) -> Gauge {
    gauge!(CONNECTED, "purpose" => purpose.name())
}
