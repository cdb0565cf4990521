//! Takes deliveries again that somebody asked for through the API.

use std::time::Duration;

use domain::delivery::DeliveryStatus;
use store::{Store, deliveries::StoredDelivery};
use tokio_util::sync::CancellationToken;

use crate::{
    intake::Intake,
    refusal::Refusal,
    text,
    triggers::{Decision, Rules},
};

/// Deliveries taken from the store at once; each may be 25 MB.
const BATCH: u32 = 4;

/// The loop, in any number of replicas: the store decides who takes a delivery.
pub(crate) struct Redeliverer {
    pub(crate) store: Store,
    pub(crate) intake: Intake,
    pub(crate) rules: Rules,
    /// How long to rest when nothing waits.
    pub(crate) period: Duration,
}

impl Redeliverer {
    /// Runs until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut failing = false;
        while let Some(outcome) = shutdown.run_until_cancelled(self.round()).await {
            match outcome {
                Ok(taken) => {
                    failing = false;
                    if taken > 0 {
                        continue;
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "Deliveries could not be taken again; they stay marked for it");
                    }
                    failing = true;
                }
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(self.period)).await.is_none() {
                return;
            }
        }
    }

    /// Takes a batch; gives back of how many it is known what became of them.
    async fn round(&self) -> Result<usize, Refusal> {
        let waiting = self.store.redeliveries(BATCH).await?;
        let taken = waiting.len();
        for stored in waiting {
            let id = stored.delivery.id.clone();
            faults::point!("webhook.redelivery.before");
            let receipt = self.intake.record_again(id.clone(), self.decide(&stored)).await?;
            faults::point!("webhook.redelivery.after");
            tracing::info!(
                delivery.id = id,
                "Delivery {id} was taken again and {}",
                receipt.status
            );
        }
        Ok(taken)
    }

    /// What follows from a stored delivery by the rules of today.
    fn decide(&self, stored: &StoredDelivery) -> Decision {
        debug_assert_eq!(stored.delivery.status, DeliveryStatus::Redelivering);
        // How it came is not stored, but shows: a form begins with a name.
        let is_json = stored.payload.trim_ascii_start().first() == Some(&b'{');
        let content_type =
            if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
        let envelope = github::payload_json(Some(content_type), &stored.payload)
            .and_then(|json| github::parse(&stored.delivery.event, &json));
        match envelope {
            Ok(envelope) => self.rules.decide(&stored.delivery.id, None, &envelope),
            Err(error) => {
                Decision::Skip(text::line(&format!("the stored payload cannot be read: {error}")))
            }
        }
    }
}
