//! Keeps the leases: renews them all in one statement, and lets go of those that cannot be renewed in time.
//!
//! Two loops that do not wait for each other: a store that hangs must not keep this worker from seeing that its time is up.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::ids::TaskId;
use tokio::time;

use crate::{
    Inner, metrics,
    running::{Lease, Stop},
    trouble::Trouble,
};

/// Renews every lease three times in its length, until the worker is over.
pub(crate) async fn renew(worker: Arc<Inner>) {
    let period = worker.config.lease / 3;
    let mut trouble = Trouble::with("renew its leases");
    let mut wait = period;
    while worker.over.run_until_cancelled(time::sleep(wait)).await.is_some() {
        let held = worker.running.leases();
        wait = period;
        if held.is_empty() {
            continue;
        }
        let asked = Instant::now();
        match time::timeout(period, renew_once(&worker, &held, asked)).await {
            Ok(Ok(())) => trouble.over(),
            Ok(Err(error)) => wait = trouble.failed(&error).min(period),
            Err(elapsed) => wait = trouble.failed(&elapsed).min(period),
        }
    }
}

async fn renew_once(worker: &Inner, held: &[Arc<Lease>], asked: Instant) -> store::Result<()> {
    let claims = held.iter().map(|it| it.claim).collect();
    let lost: HashSet<TaskId> =
        worker.store.renew_leases(claims, worker.terms()).await?.into_iter().collect();
    for lease in held {
        if lost.contains(&lease.claim.0) && !faults::without(faults::Guard::LeaseWatch) {
            lease.stop(Stop::LeaseLost);
        } else {
            lease.renewed(asked + worker.config.lease);
        }
    }
    Ok(())
}

/// Stops attempts whose lease runs out, or that take too long, until the worker is over. By the monotonic clock alone: what
/// the store says may come too late.
pub(crate) async fn watch(worker: Arc<Inner>) {
    let margin = worker.config.lease / 6;
    // So often that an attempt is stopped before a quarter of the margin is used up.
    let mut ticks =
        time::interval((margin / 4).clamp(Duration::from_millis(10), Duration::from_secs(1)));
    while worker.over.run_until_cancelled(ticks.tick()).await.is_some() {
        worker.running.stop_overdue(Instant::now(), margin, worker.config.task_timeout);
        metrics::pool(worker.store.pool_state());
    }
}
