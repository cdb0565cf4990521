//! Stores deliveries with what they start: many in one transaction, each once.

use domain::{delivery::NewDelivery, ids::RunId, named_enum, run::NewRun};
use queue::announcer::Announcer;
use serde::Serialize;
use store::{
    Store,
    batch::{BatchBounds, Batcher},
    runs::{Created, CreatedSet, Creation, Guard},
};

use crate::{first_run::answers_same_labelling, metrics, refusal::Refusal, triggers::Decision};

named_enum! {
    /// What became of a delivery, in the answer to its sender.
    pub(crate) enum ReceiptStatus ("receipt status") {
        /// It started a run.
        Accepted = "accepted",
        /// It is recorded; nothing follows.
        Skipped = "skipped",
        /// It came before.
        Duplicate = "duplicate",
    }
}

/// What became of a delivery. Its row is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) status: ReceiptStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<RunId>,
    /// Why nothing follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// The way into the store. Clones share its batches.
#[derive(Clone)]
pub(crate) struct Intake {
    store: Store,
    batches: Batcher<Creation, Created>,
}

impl Intake {
    /// Starts gathering. What becomes ready is handed to the announcer as soon as it is committed, whether its sender still
    /// waits for the answer or not.
    pub(crate) fn start(store: Store, announcer: Announcer, bounds: BatchBounds) -> Self {
        let target = store.clone();
        let batches = Batcher::start(bounds, move |creations: Vec<Creation>| {
            let (store, announcer) = (target.clone(), announcer.clone());
            Box::pin(async move {
                let mut answers = store.create(creations).await?;
                for answer in &mut answers {
                    if let Created::New { set, announce } = answer {
                        metrics::created(set);
                        announcer.announce(std::mem::take(announce));
                    }
                }
                Ok(answers)
            })
        });
        Self { store, batches }
    }

    /// Stores a delivery and what was decided about it.
    pub(crate) async fn record(
        &self,
        delivery: NewDelivery,
        decision: Decision,
    ) -> Result<Receipt, Refusal> {
        match decision {
            Decision::Skip(reason) => self.skip(delivery, reason).await,
            Decision::Start { trigger, first: None } => {
                self.start_run(delivery, trigger.into_run()).await
            }
            // An id that follows from the issue would be one more guard against a second run.
            Decision::Start { trigger, first: Some(_) }
                if faults::without(faults::Guard::DeliveryDedupe) =>
            {
                self.start_run(delivery, trigger.into_run()).await
            }
            Decision::Start { trigger, first: Some(id) } => {
                let run = NewRun { id, ..trigger.into_run() };
                self.start_first_run(delivery, run).await
            }
        }
    }

    async fn skip(&self, delivery: NewDelivery, reason: String) -> Result<Receipt, Refusal> {
        let delivery = NewDelivery { skip_reason: Some(reason.clone()), ..delivery };
        let created = self.batches.submit(creation(Guard::Delivery(delivery), None)).await?;
        receipt(created, Some(reason))
    }

    async fn start_run(&self, delivery: NewDelivery, run: NewRun) -> Result<Receipt, Refusal> {
        let created = self.batches.submit(creation(Guard::Delivery(delivery), Some(run))).await?;
        receipt(created, None)
    }

    /// As [`Self::start_run`], for a run that another delivery may just have started.
    async fn start_first_run(
        &self,
        delivery: NewDelivery,
        run: NewRun,
    ) -> Result<Receipt, Refusal> {
        let id = run.id;
        let created = self
            .batches
            .submit(creation(Guard::Delivery(delivery.clone()), Some(run.clone())))
            .await?;
        let Created::Conflict(_) = created else { return receipt(created, None) };
        let now = self.store.database_time().await?;
        match self.store.find_run(id).await? {
            Some(known) if answers_same_labelling(&known, now) => {
                self.skip(delivery, format!("run {id} was started a moment ago for the same issue"))
                    .await
            }
            Some(_) | None => self.start_run(delivery, NewRun { id: RunId::new(), ..run }).await,
        }
    }

    /// Takes a stored delivery again, because somebody asked for it: a run that it starts is always a new one.
    pub(crate) async fn record_again(
        &self,
        id: String,
        decision: Decision,
    ) -> Result<Receipt, Refusal> {
        let (run, skip_reason) = match decision {
            Decision::Start { trigger, first: _ } => (Some(trigger.into_run()), None),
            Decision::Skip(reason) => (None, Some(reason)),
        };
        let guard = Guard::Redelivery { id, skip_reason: skip_reason.clone() };
        receipt(self.batches.submit(creation(guard, run)).await?, skip_reason)
    }
}

fn creation(guard: Guard, run: Option<NewRun>) -> Creation {
    Creation { guard, runs: run.into_iter().collect(), tasks: Vec::new() }
}

fn receipt(created: Created, reason: Option<String>) -> Result<Receipt, Refusal> {
    match created {
        Created::New { set: CreatedSet { runs, .. }, .. } => {
            let run_id = runs.first().map(|run| run.id);
            let status =
                if run_id.is_some() { ReceiptStatus::Accepted } else { ReceiptStatus::Skipped };
            Ok(Receipt { status, run_id, reason })
        }
        Created::Duplicate => {
            Ok(Receipt { status: ReceiptStatus::Duplicate, run_id: None, reason: None })
        }
        other @ (Created::Replayed(_)
        | Created::KeyReused
        | Created::Conflict(_)
        | Created::RunMissing(_)
        | Created::RunEnded(..)
        | Created::Rejected
        | Created::BadDependency { .. }) => Err(Refusal::Unexpected(format!("{other:?}"))),
    }
}
