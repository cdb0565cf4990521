//! Ends runs that take longer than they may.

use crate::{Parts, metrics, reconcile::Round};

/// One batch of runs past their deadline.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    let settings = &parts.settings;
    let ids = parts.store.time_out_runs(settings.longest_run, settings.batch).await?;
    let found = ids.len();
    for id in ids {
        tracing::warn!(run.id = %id, "Run {id} took longer than it may and was ended");
        // For the metric only: that it cannot be read does not undo the round.
        if let Ok(Some(run)) = parts.store.find_run(id).await {
            metrics::run_finished(run.workflow, run.status);
        }
    }
    Ok(Round::of(found, settings.batch))
}
