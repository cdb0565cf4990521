//! Publishes what lies in the outbox because the process that wrote it did not get to it.

use anyhow::Context;
use domain::message::OutboxMessage;
use queue::PublishError;

use crate::{Parts, metrics, reconcile::Round};

/// One batch of the outbox's oldest rows.
///
/// It publishes them itself, and not through the announcer, for it has to know of each how that went: a row that is still
/// there after the round would be found again by the next one, at once.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    if !parts.has_broker() || faults::without(faults::Guard::OutboxSweep) {
        return Ok(Round::CaughtUp);
    }
    let settings = &parts.settings;
    let rows = parts.store.left_behind(settings.left_behind_after, settings.batch).await?;
    if rows.is_empty() {
        return Ok(Round::CaughtUp);
    }
    let messages: Vec<_> = rows.iter().map(|row| row.message).collect();
    let outcomes = parts.queue.publish(&messages).await;
    let published = confirmed(&rows, &outcomes);
    metrics::swept(published.len());
    if !published.is_empty() {
        tracing::info!(
            outbox.count = published.len(),
            "Published messages that were left behind in the outbox"
        );
        parts.store.forget_published(published).await.context("forget what was published")?;
    }
    match outcomes.into_iter().find_map(Result::err) {
        Some(error) => Err(error).context("publish what was left behind"),
        None => Ok(Round::of(rows.len(), settings.batch)),
    }
}

/// The rows whose messages are safe with the broker.
fn confirmed(rows: &[OutboxMessage], outcomes: &[Result<(), PublishError>]) -> Vec<i64> {
    rows.iter()
        .zip(outcomes)
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(row, _)| row.id)
        .collect()
}
