//! Removes what has been kept long enough.

use crate::{Parts, reconcile::Round};

/// One batch of each kind of thing.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    let settings = &parts.settings;
    let removed = parts.store.remove_old(settings.retention, settings.batch).await?;
    let most = removed.runs.max(removed.deliveries).max(removed.idempotency);
    if most > 0 {
        tracing::info!(
            runs.count = removed.runs,
            deliveries.count = removed.deliveries,
            answers.count = removed.idempotency,
            "Removed what has been kept long enough"
        );
    }
    Ok(Round::of(usize::try_from(most).unwrap_or(usize::MAX), settings.batch))
}
