//! Settle: the end of attempts, with everything that follows, in one transaction.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{
    history::EventKind,
    ids::{RunId, WorkerId},
    message::Message,
    run::RunStatus,
    settlement::{Change, Settlement},
    task::{Failure, TaskStatus, Usage},
};
use serde_json::{Value, json};

use super::{
    bulk, claim, create_rows, dead_letters,
    dialect::{self, Conn},
    history::{self, NewEvent},
    lookup::{self, Runs},
    outbox,
    run_status::{self, Delta},
    transcripts,
    transitions::{self, Queueing},
};
use crate::{
    Result,
    key::Key,
    tasks::{SettleReport, SettleRequest, Settled},
};

/// Who may end these attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder {
    /// The worker that has the lease.
    Worker(WorkerId),
    /// Anybody, since the lease has run out.
    Nobody,
}

/// One task's row as it shall be. The update's guard is its fence and its holder.
pub(crate) struct SettleRow {
    pub(crate) id: Key,
    pub(crate) fence: i64,
    pub(crate) status: TaskStatus,
    pub(crate) result: Option<Value>,
    pub(crate) error: Option<Failure>,
    pub(crate) run_at: Option<DateTime<Utc>>,
    pub(crate) usage: Usage,
    /// How much the attempt counts: a task that was handed back has not used it.
    pub(crate) spent_attempts: i32,
}

/// What the end of attempts led to.
pub(crate) struct Ended {
    /// In the order of the settlements: whether each was applied.
    pub(crate) applied: Vec<bool>,
    /// Tasks that became ready, the most urgent first; their messages are not yet in the outbox.
    pub(crate) ready: Vec<Message>,
}

pub(crate) async fn settle(conn: &mut Conn, request: SettleRequest) -> Result<SettleReport> {
    let now = dialect::now(conn).await?;
    let places = request.settlements.iter().map(|settlement| settlement.run_id).collect();
    let mut runs = lookup::lock_runs(conn, places).await?;
    let holder = Holder::Worker(request.terms.worker);
    let ended = end_attempts(conn, request.settlements, holder, &mut runs, now).await?;

    let (mine, others): (Vec<Message>, Vec<Message>) = {
        let mut free = request.free_slots;
        ended.ready.into_iter().partition(|message| {
            let take = free > 0 && request.roles.contains(&message.role);
            free -= usize::from(take);
            take
        })
    };
    let ids = mine.into_iter().map(|message| message.task_id.into()).collect();
    let claimed = claim::take(conn, ids, request.terms, &runs, now).await?;
    let announce = outbox::add(conn, &others, now).await?;
    let results = ended
        .applied
        .into_iter()
        .map(|applied| if applied { Settled::Applied } else { Settled::Fenced })
        .collect();
    Ok(SettleReport { results, claimed, announce })
}

/// Applies settlements to tasks whose runs the caller has locked.
pub(crate) async fn end_attempts(
    conn: &mut Conn,
    settlements: Vec<Settlement>,
    holder: Holder,
    runs: &mut Runs,
    now: DateTime<Utc>,
) -> Result<Ended> {
    let rows: Vec<SettleRow> = settlements.iter().map(|it| row(it, runs, now)).collect();
    let applied: HashSet<(Key, i64)> =
        bulk::settle_tasks(conn, &rows, holder, now).await?.into_iter().collect();
    // By the fence as well: a batch may hold an old and a new attempt at one task.
    let flags: Vec<bool> =
        settlements.iter().map(|it| applied.contains(&(it.task_id.into(), it.fence))).collect();

    let events = settlements
        .iter()
        .zip(&flags)
        .filter(|(settlement, _)| runs.contains_key(&settlement.run_id))
        .filter_map(|(settlement, applied)| event(settlement, *applied, holder, now));
    history::append(conn, events.collect()).await?;

    let (ended, _fenced): (Vec<_>, Vec<_>) =
        settlements.iter().zip(&flags).partition(|(_, applied)| **applied);
    let ended: Vec<&Settlement> = ended.into_iter().map(|(settlement, _)| settlement).collect();
    transcripts::append(conn, &ended).await?;
    dead_letters::add(conn, &ended, now).await?;

    let mut ready = handed_back(&ended, runs);
    ready.extend(follow_ups(conn, &ended, runs, now).await?);
    ready.extend(dependents(conn, &ended, runs, now).await?);
    run_status::refresh(conn, runs, deltas(&ended), now).await?;
    // A run that has just ended has cancelled what was ready.
    ready.retain(|message| is_live(runs, message.run_id));
    Ok(Ended { applied: flags, ready })
}

fn is_live(runs: &Runs, id: RunId) -> bool {
    let status = runs.get(&id).and_then(|row| row.status.parse::<RunStatus>().ok());
    status.is_some_and(|status| !status.is_final())
}

pub(crate) fn is_paused(runs: &Runs, id: RunId) -> bool {
    runs.get(&id).is_some_and(|row| row.status == RunStatus::Paused.name())
}

fn row(settlement: &Settlement, runs: &Runs, now: DateTime<Utc>) -> SettleRow {
    let mut row = SettleRow {
        id: settlement.task_id.into(),
        fence: settlement.fence,
        status: TaskStatus::Completed,
        result: None,
        error: None,
        run_at: None,
        usage: settlement.spent.usage.bounded(),
        spent_attempts: 0,
    };
    match &settlement.change {
        Change::Completed { result, .. } => row.result = Some(result.clone()),
        Change::Retrying { failure, after } => {
            row.status = TaskStatus::Retrying;
            row.error = Some(failure.clone());
            row.run_at = Some(now + *after);
        }
        Change::Failed { failure, .. } => {
            row.status = TaskStatus::Failed;
            row.error = Some(failure.clone());
        }
        Change::HandedBack => {
            let paused = is_paused(runs, settlement.run_id);
            row.status = if paused { TaskStatus::Pending } else { TaskStatus::Queued };
            row.spent_attempts = -1;
        }
    }
    row
}

fn event(
    settlement: &Settlement,
    applied: bool,
    holder: Holder,
    now: DateTime<Utc>,
) -> Option<NewEvent> {
    let ids = (settlement.run_id, settlement.task_id);
    let (kind, data) = match (&settlement.change, applied, holder) {
        (_, false, Holder::Worker(worker)) => {
            (EventKind::TaskFenced, json!({ "workerId": worker, "fence": settlement.fence }))
        }
        (_, false, Holder::Nobody) => return None,
        (Change::Completed { .. }, true, _) => {
            (EventKind::TaskCompleted, json!({ "usage": settlement.spent.usage }))
        }
        (Change::Retrying { failure, after }, true, Holder::Worker(_)) => {
            (EventKind::TaskRetrying, json!({ "error": failure, "afterMs": millis(*after) }))
        }
        (Change::Retrying { failure, .. }, true, Holder::Nobody) => {
            (EventKind::TaskLeaseExpired, json!({ "error": failure }))
        }
        (Change::Failed { failure, why }, true, _) => {
            (EventKind::TaskFailed, json!({ "error": failure, "reason": why }))
        }
        (Change::HandedBack, true, _) => (EventKind::TaskHandedBack, json!({})),
    };
    Some(NewEvent::of_task(ids, now, kind, settlement.attempt, data))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn handed_back(ended: &[&Settlement], runs: &Runs) -> Vec<Message> {
    let back = ended.iter().filter(|it| matches!(it.change, Change::HandedBack));
    back.filter(|it| !is_paused(runs, it.run_id))
        .map(|it| Message {
            task_id: it.task_id,
            run_id: it.run_id,
            role: it.role,
            attempt: it.attempt,
        })
        .collect()
}

/// Makes the tasks that follow completed ones; gives back the messages of those that are ready.
async fn follow_ups(
    conn: &mut Conn,
    ended: &[&Settlement],
    runs: &Runs,
    now: DateTime<Utc>,
) -> Result<Vec<Message>> {
    let mut tasks = Vec::new();
    for settlement in ended {
        if let Change::Completed { follow_ups, .. } = &settlement.change {
            let paused = is_paused(runs, settlement.run_id);
            tasks.extend(follow_ups.iter().map(|task| create_rows::Placed {
                run_id: settlement.run_id,
                paused,
                task: task.clone(),
            }));
        }
    }
    create_rows::insert_tasks(conn, &tasks, now).await
}

/// Queues what waited for completed tasks only, and cancels what waited for failed ones.
async fn dependents(
    conn: &mut Conn,
    ended: &[&Settlement],
    runs: &Runs,
    now: DateTime<Utc>,
) -> Result<Vec<Message>> {
    let failed = ended.iter().filter(|it| matches!(it.change, Change::Failed { .. }));
    let failed = failed.map(|it| it.task_id.into()).collect();
    transitions::cancel_dependents(conn, failed, now).await?;

    let completed = ended.iter().filter(|it| matches!(it.change, Change::Completed { .. }));
    let completed: Vec<Key> =
        completed.filter(|it| !is_paused(runs, it.run_id)).map(|it| it.task_id.into()).collect();
    if completed.is_empty() {
        return Ok(Vec::new());
    }
    let waiting = transitions::dependents(conn, &completed).await?;
    let ready = transitions::ready(conn, waiting).await?;
    let how = Queueing { from: TaskStatus::Pending, event: EventKind::TaskQueued };
    transitions::queue(conn, ready, how, now).await
}

fn deltas(ended: &[&Settlement]) -> BTreeMap<RunId, Delta> {
    let mut deltas: BTreeMap<RunId, Delta> = BTreeMap::new();
    for settlement in ended {
        let delta = deltas.entry(settlement.run_id).or_default();
        delta.usage += settlement.spent.usage.bounded();
        if let Change::Completed { end, run, .. } = &settlement.change {
            delta.end = end.clone().or(delta.end.take());
            let progress = &mut delta.progress;
            progress.base_commit = run.base_commit.clone().or(progress.base_commit.take());
            progress.branch = run.branch.clone().or(progress.branch.take());
            progress.head_commit = run.head_commit.clone().or(progress.head_commit.take());
        }
    }
    deltas
}

/// A failure as it is stored, in the columns of a task.
pub(crate) fn failure_columns(failure: Option<&Failure>) -> (Option<&'static str>, Option<String>) {
    match failure {
        Some(failure) => (Some(failure.code.name()), Some(super::rows::storable(&failure.message))),
        None => (None, None),
    }
}
