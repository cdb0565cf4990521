//! Queues retrying tasks whose backoff has ended.

use crate::{Parts, reconcile::Round};

pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    let messages = parts.store.promote_due(parts.settings.batch).await?;
    let found = messages.len();
    parts.announcer.announce(messages);
    Ok(Round::of(found, parts.settings.batch))
}
