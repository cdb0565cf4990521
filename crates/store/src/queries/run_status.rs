//! The status of runs, derived from their tasks in the transaction that changes those.

use std::collections::BTreeMap;

use domain::{
    history::EventKind,
    ids::RunId,
    run::{RunStatus, TaskCounts},
    settlement::RunProgress,
    task::{CancelReason, Usage},
    workflow::RunEnd,
};
use serde_json::{Value, json};

use super::{
    bulk,
    dialect::Conn,
    history::Journal,
    lookup::{self, Counts, Runs},
    rows::named,
    tasks, transitions,
};
use crate::Result;

/// What a transaction adds to a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Delta {
    pub(crate) usage: Usage,
    pub(crate) progress: RunProgress,
    pub(crate) end: Option<RunEnd>,
    /// Why its live tasks are cancelled, where it ends; none says that the run ended.
    pub(crate) cancel: Option<CancelReason>,
    /// A run that had ended may live again.
    pub(crate) reopen: bool,
}

/// One run's row as it shall be.
pub(crate) struct RunChange {
    pub(crate) id: RunId,
    pub(crate) status: RunStatus,
    pub(crate) outcome: Option<Value>,
    pub(crate) usage: Usage,
    pub(crate) progress: RunProgress,
}

/// Brings runs, which the caller has locked, in line with their tasks. Updates `runs` as well.
pub(crate) async fn refresh(
    conn: &mut Conn,
    runs: &mut Runs,
    deltas: BTreeMap<RunId, Delta>,
    journal: &mut Journal,
) -> Result<()> {
    let counts = lookup::count_tasks(conn, deltas.keys().copied().collect()).await?;
    refresh_counted(conn, runs, deltas, &counts, journal).await
}

/// The same for who has counted the tasks already.
pub(crate) async fn refresh_counted(
    conn: &mut Conn,
    runs: &mut Runs,
    deltas: BTreeMap<RunId, Delta>,
    counts: &Counts,
    journal: &mut Journal,
) -> Result<()> {
    for (id, delta) in deltas.iter().filter(|(_, delta)| delta.end.is_some()) {
        let left = tasks::live_of_run(conn, *id).await?;
        let reason = delta.cancel.unwrap_or(CancelReason::RunCancelled);
        transitions::cancel(conn, left, reason, journal).await?;
    }
    let mut changes = Vec::new();
    for (id, delta) in deltas {
        let Some(row) = runs.get_mut(&id) else { continue };
        let before: RunStatus = named("runs.status", &row.status)?;
        let status = next_status(before, row.started_at.is_some(), &delta, counts.get(&id));
        if status != before {
            let (kind, data) = event(before, status, delta.end.as_ref());
            journal.run(id, kind, data);
        } else if delta.usage == Usage::default() && delta.progress == RunProgress::default() {
            continue;
        }
        status.name().clone_into(&mut row.status);
        remember(row, &delta);
        changes.push(RunChange {
            id,
            status,
            outcome: delta.end.map(|end| end.outcome),
            usage: delta.usage,
            progress: delta.progress,
        });
    }
    bulk::update_runs(conn, &changes, journal.now).await
}

fn next_status(
    before: RunStatus,
    begun: bool,
    delta: &Delta,
    counts: Option<&TaskCounts>,
) -> RunStatus {
    if before.is_final() && !delta.reopen {
        return before;
    }
    if let Some(end) = &delta.end {
        return end.status;
    }
    match counts {
        // The last task was deleted: nothing says what the run came to.
        None => before,
        Some(counts) if before == RunStatus::Paused && counts.live() > 0 => before,
        // A run that was reopened is queued until a task of it begins, whatever becomes of others meanwhile.
        Some(counts) => derived(begun && !before.is_final() && before != RunStatus::Queued, counts),
    }
}

/// The status by the tasks; a run that has begun is not queued again.
pub(crate) fn derived(begun: bool, counts: &TaskCounts) -> RunStatus {
    match RunStatus::derive(counts) {
        RunStatus::Queued if begun => RunStatus::Running,
        status @ (RunStatus::Queued
        | RunStatus::Running
        | RunStatus::Waiting
        | RunStatus::Paused
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Cancelled) => status,
    }
}

fn remember(row: &mut super::rows::LockedRun, delta: &Delta) {
    row.requests += delta.usage.requests;
    row.tokens_in += delta.usage.tokens_in;
    row.tokens_out += delta.usage.tokens_out;
    row.model_ms += delta.usage.model_ms;
    let RunProgress { base_commit, branch, head_commit } = &delta.progress;
    for (field, new) in [
        (&mut row.base_commit, base_commit),
        (&mut row.branch, branch),
        (&mut row.head_commit, head_commit),
    ] {
        if new.is_some() {
            field.clone_from(new);
        }
    }
}

fn event(before: RunStatus, status: RunStatus, end: Option<&RunEnd>) -> (EventKind, Value) {
    let kind = match status {
        RunStatus::Queued | RunStatus::Running if before.is_final() => EventKind::RunReopened,
        RunStatus::Queued => EventKind::RunResumed,
        RunStatus::Running => EventKind::RunStarted,
        RunStatus::Waiting => EventKind::RunWaiting,
        RunStatus::Paused => EventKind::RunPaused,
        RunStatus::Completed => EventKind::RunCompleted,
        RunStatus::Failed => EventKind::RunFailed,
        RunStatus::Cancelled => EventKind::RunCancelled,
    };
    let data = end.map_or_else(|| json!({}), |end| json!({ "outcome": end.outcome }));
    (kind, data)
}
