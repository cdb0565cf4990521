//! Deliveries become attempts: room first, then messages, one claim for all of them, and at once the acknowledgement.
//!
//! A message is only a nudge. What its task is by now, the claim finds out: queued, then it runs here; anything else, then the
//! message is as good as dealt with.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    ids::{RunId, TaskId},
    message::Message,
};
use queue::{Delivery, Disposition, Subscription};
use tokio::time;

use crate::{Inner, attempt, claims::Left, metrics, slots::Slot, trouble::Trouble};

/// How long received messages may wait for a slot before another worker shall have them. They had room when they were asked
/// for, so this is rare.
const HOLD_LIMIT: Duration = Duration::from_secs(1);

/// Consumes until the worker drains or the queue is closed.
pub(crate) async fn consume(worker: Arc<Inner>, mut subscription: Box<dyn Subscription>) {
    let draining = worker.draining.clone();
    let mut trouble = Trouble::with("claim tasks");
    loop {
        let received = draining.run_until_cancelled(receive(&worker, subscription.as_mut())).await;
        let Some(Some(mut deliveries)) = received else { break };
        while !deliveries.is_empty() {
            let room = time::timeout(HOLD_LIMIT, worker.slots.take_some(deliveries.len())).await;
            let Ok(slots) = room else {
                settle(subscription.as_mut(), deliveries, Disposition::Requeue).await;
                break;
            };
            let rest = deliveries.split_off(slots.len());
            let batch = std::mem::replace(&mut deliveries, rest);
            match claim(&worker, &batch, slots, &mut trouble).await {
                Claim::Done => acknowledge(subscription.as_mut(), batch).await,
                Claim::GivenUp => settle(subscription.as_mut(), batch, Disposition::Requeue).await,
            }
        }
    }
    // Gives back what is unsettled.
    subscription.close().await;
}

/// Waits for room and then for messages, as many as there is room for. None once the queue is closed.
async fn receive(worker: &Inner, subscription: &mut dyn Subscription) -> Option<Vec<Delivery>> {
    worker.slots.some_free().await;
    let most = worker.slots.free().clamp(1, worker.config.batch);
    subscription.receive(most).await
}

/// What became of the claim for a batch.
enum Claim {
    /// Those that were to be had are running.
    Done,
    /// The store did not answer before the worker was told to stop, or there is no room after all.
    GivenUp,
}

/// Claims the tasks of a batch and starts those that it got: with what is settled anyway, or alone. Tries again until the store
/// answers, and never leaves a claim half-way: a task that is claimed and not started would be nobody's until its lease ends.
async fn claim(
    worker: &Arc<Inner>,
    batch: &[Delivery],
    slots: Vec<Slot>,
    trouble: &mut Trouble,
) -> Claim {
    // A message that came twice is one task.
    let tasks: BTreeSet<(RunId, TaskId)> =
        batch.iter().filter_map(|it| it.body.as_ref().ok()).map(Message::place).collect();
    if tasks.is_empty() {
        return Claim::Done;
    }
    let Left { tasks: ids, mut slots } =
        worker.claims.ride(tasks.into_iter().collect(), slots).await;
    if ids.is_empty() {
        return Claim::Done;
    }
    if slots.len() < ids.len() {
        // Whatever went wrong with its transaction has cost it the slots.
        slots.extend(worker.slots.take_free(ids.len() - slots.len()));
    }
    if slots.len() < ids.len() {
        return Claim::GivenUp;
    }
    loop {
        let asked = Instant::now();
        faults::point!("worker.claim.before");
        match worker.store.claim_tasks(ids.clone(), worker.terms()).await {
            Ok(claimed) => {
                trouble.over();
                metrics::claimed(asked.elapsed(), &claimed);
                faults::point!("worker.claim.before_start");
                for (task, slot) in claimed.into_iter().zip(slots) {
                    attempt::start(worker, task, slot, asked);
                }
                return Claim::Done;
            }
            Err(error) => {
                let wait = time::sleep(trouble.failed(&error));
                if worker.draining.run_until_cancelled(wait).await.is_none() {
                    return Claim::GivenUp;
                }
            }
        }
    }
}

async fn acknowledge(subscription: &mut dyn Subscription, batch: Vec<Delivery>) {
    faults::point!("worker.claim.before_ack");
    let judged = batch.into_iter().map(|delivery| {
        let disposition = match &delivery.body {
            Ok(_message) => Disposition::Ack,
            Err(malformed) => {
                tracing::warn!(role = %delivery.role, "A message cannot be read and becomes a dead letter: {malformed}");
                Disposition::DeadLetter
            }
        };
        (delivery, disposition)
    });
    subscription.settle(judged.collect()).await;
}

async fn settle(
    subscription: &mut dyn Subscription,
    deliveries: Vec<Delivery>,
    disposition: Disposition,
) {
    subscription.settle(deliveries.into_iter().map(|it| (it, disposition)).collect()).await;
}
