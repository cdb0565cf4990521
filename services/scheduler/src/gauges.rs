//! Measures what the store and the broker know.

use anyhow::Context;

use crate::{Parts, metrics, reconcile::Round};

/// One look at both. What the store says is shown also without a broker.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    metrics::pool(parts.store.pool_state());
    metrics::store(&parts.store.gauges().await?);
    if !parts.has_broker() {
        return Ok(Round::CaughtUp);
    }
    for (role, messages) in
        parts.queue.depths().await.context("ask how much waits at the broker")?
    {
        metrics::queue_depth(role, messages);
    }
    Ok(Round::CaughtUp)
}
