//! The safety sweep beside the queue: what is queued is claimed even if its message was lost, the most urgent first.

use std::{sync::Arc, time::Instant};

use tokio::time::{self, MissedTickBehavior};

use crate::{Inner, attempt, metrics, trouble::Trouble};

/// Looks for queued tasks in every poll interval, while there are free slots, until the worker drains.
pub(crate) async fn poll(worker: Arc<Inner>) {
    let mut ticks = time::interval(worker.config.poll_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = Trouble::with("look for queued tasks");
    while worker.draining.run_until_cancelled(ticks.tick()).await.is_some() {
        // As long as it finds as many as it asks for, there may be more.
        while !worker.draining.is_cancelled() && sweep(&worker, &mut trouble).await {}
    }
}

/// Claims as many as there is room for; true if it got that many.
async fn sweep(worker: &Arc<Inner>, trouble: &mut Trouble) -> bool {
    let slots = worker.slots.take_free(worker.config.batch);
    if slots.is_empty() {
        return false;
    }
    if faults::without(faults::Guard::OutboxSweep) {
        return false;
    }
    let asked = Instant::now();
    let limit = u32::try_from(slots.len()).unwrap_or(u32::MAX);
    let claimed =
        worker.store.claim_next_tasks(worker.config.roles.clone(), limit, worker.terms()).await;
    match claimed {
        Ok(claimed) => {
            trouble.over();
            metrics::claimed(asked.elapsed(), &claimed);
            faults::point!("worker.poll.before_start");
            let full = claimed.len() == slots.len();
            for (task, slot) in claimed.into_iter().zip(slots) {
                attempt::start(worker, task, slot, asked);
            }
            full
        }
        Err(error) => {
            trouble.failed(&error);
            false
        }
    }
}
