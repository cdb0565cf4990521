//! What the worker tells the store: what has finished, and what it wants next, in one transaction. What comes while a
//! transaction is under way shares the next one, so that nothing waits for a batch to fill and batches grow by themselves under
//! load.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    settlement::{Change, DeadLetterReason, Settlement},
    task::{Failure, FailureCode},
};
use store::tasks::{SettleReport, SettleRequest, Settled};
use tokio::{
    sync::{Semaphore, mpsc},
    time,
};

use crate::{
    Inner, attempt,
    claims::Wanted,
    metrics,
    running::{Held, Stop},
    slots::Slot,
    trouble::{Trouble, chain},
};

/// An attempt that has ended, with its slot and its lease until it is settled.
pub(crate) struct Finished {
    pub(crate) settlement: Settlement,
    pub(crate) held: Held,
    /// How long ago the task was created.
    pub(crate) age: Duration,
    /// How long the attempt took.
    pub(crate) elapsed: Duration,
}

/// Settles and claims what comes, until the worker is over.
pub(crate) async fn settle_all(
    worker: Arc<Inner>,
    mut finished: mpsc::UnboundedReceiver<Finished>,
) {
    let transactions = Arc::new(Semaphore::new(worker.config.settle_in_flight));
    loop {
        // The transaction first: what comes while all are under way belongs to the next one.
        let Ok(transaction) = transactions.clone().acquire_owned().await else { return };
        let most = worker.config.batch;
        let mut batch = Vec::new();
        let came = async {
            tokio::select! {
                count = finished.recv_many(&mut batch, most) => count > 0,
                () = worker.claims.some() => true,
            }
        };
        if worker.over.run_until_cancelled(came).await != Some(true) {
            return;
        }
        while batch.len() < most
            && let Ok(more) = finished.try_recv()
        {
            batch.push(more);
        }
        let (wanted, worker) = (worker.claims.take(), worker.clone());
        if batch.is_empty() {
            // Alone it may wait for locks, and must not keep settlements waiting meanwhile.
            wanted.into_iter().for_each(Wanted::alone);
            continue;
        }
        tokio::spawn(async move {
            settle(&worker, batch, wanted).await;
            drop(transaction);
        });
    }
}

/// How often a single settlement is tried that the store refuses for a reason which does not look as if it passes.
const REFUSALS: u32 = 5;

/// Settles a batch, again and again while the store is away and the leases live. What is wanted with it has one try.
async fn settle(worker: &Arc<Inner>, mut batch: Vec<Finished>, mut wanted: Option<Wanted>) {
    let mut trouble = Trouble::with("settle what has finished");
    let mut refusals = 0;
    loop {
        batch.retain(|it| match it.held.lease.why() {
            Some(stop) if stop.voids() => {
                say_dropped(it, stop);
                false
            }
            Some(_) | None => true,
        });
        if batch.is_empty() {
            return wanted.into_iter().for_each(Wanted::alone);
        }
        let asked = Instant::now();
        let error = match transact(worker, &batch, wanted.as_ref()).await {
            Ok(done) => {
                trouble.over();
                let took = asked.elapsed();
                return done.follow(worker, batch, wanted, (asked, took));
            }
            Err(error) => error,
        };
        if let Some(wanted) = wanted.take() {
            // Which of both the store did not like, the next try shows.
            tracing::warn!(
                tasks.count = batch.len(),
                "What has finished could not be settled together with a claim, and is tried alone: {}",
                chain(&error)
            );
            wanted.alone();
        } else if !error.is_transient() && batch.len() > 1 {
            tracing::warn!(
                tasks.count = batch.len(),
                "A batch is refused and taken apart: {}",
                chain(&error)
            );
            for finished in batch {
                Box::pin(settle(worker, vec![finished], None)).await;
            }
            return;
        } else {
            refusals += u32::from(!error.is_transient());
            if refusals == REFUSALS {
                refusals = 0;
                batch = batch.into_iter().filter_map(|it| without_result(it, &error)).collect();
            }
            time::sleep(trouble.failed(&error)).await;
        }
    }
}

/// The same attempt as a failure, without anything that the store may have choked on. None if it is that already: then the
/// lease runs out, and the scheduler decides.
fn without_result(mut finished: Finished, error: &store::Error) -> Option<Finished> {
    let Settlement { task_id, run_id, attempt, .. } = finished.settlement;
    tracing::error!(
        task.id = %task_id, run.id = %run_id, attempt,
        "The end of an attempt cannot be stored: {}", chain(error)
    );
    let message = "the attempt's end could not be stored; the worker's log has more";
    let failure = Failure::new(FailureCode::Internal, message);
    let change = Change::Failed { failure, why: DeadLetterReason::Fatal };
    if finished.settlement.change == change {
        return None;
    }
    finished.settlement.change = change;
    finished.settlement.spent.turns.clear();
    Some(finished)
}

/// A transaction that went through.
struct Done {
    report: SettleReport,
    /// Free slots that were set aside for follow-ups, beside those of the batch.
    spare: Vec<Slot>,
}

async fn transact(
    worker: &Arc<Inner>,
    batch: &[Finished],
    wanted: Option<&Wanted>,
) -> store::Result<Done> {
    let claims = wanted.map(|it| it.tasks.clone()).unwrap_or_default();
    let draining = worker.draining.is_cancelled();
    // The slots of the batch come free; some more, for one task may have many followers, but not all, for messages wait too.
    let most = if draining { 0 } else { batch.len().min(worker.slots.free() / 2) };
    let spare = worker.slots.take_free(most);
    let request = SettleRequest {
        settlements: batch.iter().map(|it| it.settlement.clone()).collect(),
        claims,
        terms: worker.terms(),
        roles: worker.config.roles.clone(),
        free_slots: if draining { 0 } else { batch.len() + spare.len() },
    };
    faults::point!("worker.settle.before");
    let report = worker.store.settle_tasks(request).await?;
    faults::point!("worker.settle.after");
    Ok(Done { report, spare })
}

impl Done {
    /// Starts what was claimed, and announces what follows. The transaction was sent at `asked` and took `took`.
    fn follow(
        self,
        worker: &Arc<Inner>,
        mut batch: Vec<Finished>,
        wanted: Option<Wanted>,
        (asked, took): (Instant, Duration),
    ) {
        let Self {
            report: SettleReport { results, follow_ups, claimed, left, announce },
            spare: mut slots,
        } = self;
        for (finished, settled) in batch.iter_mut().zip(results) {
            say_settled(finished, settled);
            match settled {
                Settled::Applied => metrics::settled(&finished.settlement, finished.age),
                Settled::Fenced => metrics::fenced(&finished.settlement),
            }
            slots.extend(finished.held.take_slot());
        }
        metrics::dispatched(&follow_ups, &announce);
        for task in follow_ups {
            metrics::started(&task);
            match slots.pop() {
                Some(slot) => attempt::start(worker, task, slot, asked),
                None => tracing::error!(
                    task.id = %task.id,
                    "The store claimed more follow-ups than there were slots; this one waits for its lease to end"
                ),
            }
        }
        worker.announcer.announce(announce);
        if let Some(mut wanted) = wanted {
            metrics::claimed(took, &claimed);
            faults::point!("worker.claim.before_start");
            let rest = wanted.slots.split_off(claimed.len());
            for (task, slot) in claimed.into_iter().zip(std::mem::replace(&mut wanted.slots, rest))
            {
                attempt::start(worker, task, slot, asked);
            }
            wanted.done(left);
        }
        // Only now: a worker that drains is over once nothing is held.
        drop(batch);
    }
}

fn say_settled(finished: &Finished, settled: Settled) {
    let Settlement { task_id, run_id, role, kind, attempt, change, .. } = &finished.settlement;
    let elapsed_ms = u64::try_from(finished.elapsed.as_millis()).unwrap_or(u64::MAX);
    let end = match (settled, change) {
        (Settled::Fenced, _) => "was refused, for the lease was no longer held".to_owned(),
        (Settled::Applied, Change::Completed { .. }) => "completed it".to_owned(),
        (Settled::Applied, Change::Retrying { failure, after }) => {
            format!("failed with {} and is repeated in {} ms", failure.code, after.as_millis())
        }
        (Settled::Applied, Change::Failed { failure, why }) => {
            format!("failed with {}: a dead letter ({why})", failure.code)
        }
        (Settled::Applied, Change::HandedBack) => "was handed back".to_owned(),
    };
    tracing::info!(
        task.id = %task_id, run.id = %run_id, attempt, elapsed_ms,
        "An attempt at a {kind} task by the {role} {end}"
    );
}

fn say_dropped(finished: &Finished, stop: Stop) {
    let Settlement { task_id, run_id, attempt, .. } = finished.settlement;
    let why = match stop {
        Stop::Cancelled => "the task is cancelled",
        Stop::LeaseLost | Stop::TimedOut | Stop::HandBack => {
            "its lease was lost before the store could be told"
        }
    };
    tracing::warn!(task.id = %task_id, run.id = %run_id, attempt, "The end of an attempt is dropped: {why}");
}
