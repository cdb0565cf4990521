//! Ends attempts whose worker has not renewed its lease: it crashed, hangs, or is cut off.

use domain::{ids::TaskId, task::Task};

use crate::{Parts, metrics, reconcile::Round};

/// One batch of leases that ran out.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    let settings = &parts.settings;
    let rescued = parts.store.rescue_expired(settings.retry, settings.batch).await?;
    parts.announcer.announce(rescued.announce);
    let (retried, failed) = (rescued.retried, rescued.failed);
    let found = retried.len() + failed.len();
    tell(parts, &retried, false).await;
    tell(parts, &failed, true).await;
    Ok(Round::of(found, settings.batch))
}

/// Logs and counts them. That the tasks cannot be read for it is no failure of the round: its work is done.
async fn tell(parts: &Parts, ids: &[TaskId], is_last: bool) {
    if ids.is_empty() {
        return;
    }
    let Ok(tasks) = parts.store.find_tasks(ids.to_vec()).await else { return };
    for Task { id, run_id, role, attempt, .. } in tasks {
        metrics::lease_expired(role, is_last);
        let then = if is_last { "it was the last attempt" } else { "it will be tried again" };
        tracing::warn!(task.id = %id, run.id = %run_id, task.role = %role, "The lease of attempt {attempt} of task {id} ran out; {then}");
    }
}
