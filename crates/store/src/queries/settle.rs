//! Settle: the end of attempts, with everything that follows, in one transaction.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{
    history::EventKind,
    ids::{RunId, WorkerId},
    message::{Message, OutboxMessage},
    run::RunStatus,
    settlement::{Change, Settlement},
    task::{Failure, TaskStatus, Usage},
};
use serde_json::{Value, json};

use super::{
    bulk, claim, create_rows, dead_letters,
    dialect::Conn,
    history::Journal,
    lookup::{self, Counts, Runs},
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
    pub(crate) ready: Vec<Ready>,
}

/// A task that may run now.
pub(crate) struct Ready {
    pub(crate) message: Message,
    /// It is still pending: whoever takes it takes it from there, so that its row is written once.
    pub(crate) held: bool,
}

/// What [`Ready`] tasks are.
const READY: [TaskStatus; 2] = [TaskStatus::Queued, TaskStatus::Pending];

/// How a task becomes queued when nothing holds it back any more.
const RELEASED: Queueing = Queueing { from: TaskStatus::Pending, event: EventKind::TaskQueued };

/// Queues what is not queued yet, and announces all.
pub(crate) async fn queue_and_announce(
    conn: &mut Conn,
    ready: Vec<Ready>,
    journal: &mut Journal,
) -> Result<Vec<OutboxMessage>> {
    let (held, queued): (Vec<Ready>, Vec<Ready>) = ready.into_iter().partition(|it| it.held);
    let mut messages: Vec<Message> = queued.into_iter().map(|it| it.message).collect();
    let held = held.into_iter().map(|it| it.message.task_id.into()).collect();
    messages.extend(transitions::queue(conn, held, RELEASED, journal).await?);
    outbox::add(conn, &messages, journal.now).await
}

pub(crate) async fn settle(conn: &mut Conn, request: SettleRequest) -> Result<SettleReport> {
    let places = request.settlements.iter().map(|settlement| settlement.run_id).collect();
    let (mut runs, now) = lookup::lock_runs_now(conn, places).await?;
    let of_claims = request.claims.iter().map(|(run, _)| *run);
    let others: Vec<RunId> = of_claims.filter(|run| !runs.contains_key(run)).collect();
    if !others.is_empty() {
        // The settlements do not wait for runs that are not theirs; and a circle of locks cannot come of it.
        runs.extend(lookup::lock_free_runs(conn, others).await?);
    }
    let mut journal = Journal::new(now);
    let holder = Holder::Worker(request.terms.worker);
    let ended = end_attempts(conn, request.settlements, holder, &mut runs, &mut journal).await?;

    let mut free = request.free_slots;
    let (mine, others): (Vec<Ready>, Vec<Ready>) = ended.ready.into_iter().partition(|ready| {
        let take = free > 0 && request.roles.contains(&ready.message.role);
        free -= usize::from(take);
        take
    });
    for ready in mine.iter().filter(|it| it.held) {
        journal.task(ready.message.place(), EventKind::TaskQueued, 0, json!({}));
    }
    let ids = mine.into_iter().map(|ready| ready.message.task_id.into()).collect();
    let follow_ups = claim::take(conn, ids, &READY, request.terms, &runs, &mut journal).await?;
    let announce = queue_and_announce(conn, others, &mut journal).await?;
    let (mine, left): (Vec<_>, Vec<_>) =
        request.claims.into_iter().partition(|(run, _)| runs.contains_key(run));
    let left = left.into_iter().map(|(_, task)| task).collect();
    let ids = mine.into_iter().map(|(_, task)| task.into()).collect();
    let claimed = claim::take_and_start(conn, ids, request.terms, runs, &mut journal).await?;
    journal.write(conn).await?;
    let results = ended
        .applied
        .into_iter()
        .map(|applied| if applied { Settled::Applied } else { Settled::Fenced })
        .collect();
    Ok(SettleReport { results, follow_ups, claimed, left, announce })
}

/// Applies settlements to tasks whose runs the caller has locked.
pub(crate) async fn end_attempts(
    conn: &mut Conn,
    settlements: Vec<Settlement>,
    holder: Holder,
    runs: &mut Runs,
    journal: &mut Journal,
) -> Result<Ended> {
    // A settlement that comes twice in one batch counts once, as it would in two.
    let mut known = HashSet::new();
    let first = settlements.iter().filter(|it| known.insert((it.task_id, it.fence)));
    let rows: Vec<SettleRow> = first.map(|it| row(it, runs, journal.now)).collect();
    let mut applied: HashSet<(Key, i64)> =
        bulk::settle_tasks(conn, &rows, holder, journal.now).await?.into_iter().collect();
    // By the fence as well: a batch may hold an old and a new attempt at one task.
    let flags: Vec<bool> =
        settlements.iter().map(|it| applied.remove(&(it.task_id.into(), it.fence))).collect();

    for (settlement, applied) in settlements.iter().zip(&flags) {
        if runs.contains_key(&settlement.run_id)
            && let Some((kind, data)) = event(settlement, *applied, holder)
        {
            let place = (settlement.run_id, settlement.task_id);
            journal.task(place, kind, settlement.attempt, data);
        }
    }
    let (ended, _fenced): (Vec<_>, Vec<_>) =
        settlements.iter().zip(&flags).partition(|(_, applied)| **applied);
    let ended: Vec<&Settlement> = ended.into_iter().map(|(settlement, _)| settlement).collect();
    transcripts::append(conn, &ended).await?;
    dead_letters::add(conn, &ended, journal.now).await?;

    let mut ready = handed_back(&ended, runs);
    ready.extend(follow_ups(conn, &ended, runs, journal).await?);
    cancel_dependents(conn, &ended, journal).await?;
    let deltas = deltas(&ended);
    let counts = lookup::count_tasks(conn, deltas.keys().copied().collect()).await?;
    let held = dependents(conn, &ended, runs, &counts).await?;
    let ends = |it: &Ready| deltas.get(&it.message.run_id).is_some_and(|delta| delta.end.is_some());
    let (doomed, held): (Vec<Ready>, Vec<Ready>) = held.into_iter().partition(ends);
    // As it would be if the end of the run came a moment later: queued, and then cancelled with the rest.
    let doomed = doomed.into_iter().map(|it| it.message.task_id.into()).collect();
    transitions::queue(conn, doomed, RELEASED, journal).await?;
    ready.extend(held);
    run_status::refresh_counted(conn, runs, deltas, &counts, journal).await?;
    // A run that has just ended has cancelled what was ready.
    ready.retain(|ready| is_live(runs, ready.message.run_id));
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

fn event(settlement: &Settlement, applied: bool, holder: Holder) -> Option<(EventKind, Value)> {
    Some(match (&settlement.change, applied, holder) {
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
    })
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn handed_back(ended: &[&Settlement], runs: &Runs) -> Vec<Ready> {
    let back = ended.iter().filter(|it| matches!(it.change, Change::HandedBack));
    back.filter(|it| !is_paused(runs, it.run_id))
        .map(|it| Message {
            task_id: it.task_id,
            run_id: it.run_id,
            role: it.role,
            attempt: it.attempt,
        })
        .map(|message| Ready { message, held: false })
        .collect()
}

/// Makes the tasks that follow completed ones; gives back the messages of those that are ready.
async fn follow_ups(
    conn: &mut Conn,
    ended: &[&Settlement],
    runs: &Runs,
    journal: &mut Journal,
) -> Result<Vec<Ready>> {
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
    let queued = create_rows::insert_tasks(conn, &tasks, journal).await?;
    Ok(queued.into_iter().map(|message| Ready { message, held: false }).collect())
}

/// Cancels what waited for failed tasks.
async fn cancel_dependents(
    conn: &mut Conn,
    ended: &[&Settlement],
    journal: &mut Journal,
) -> Result<()> {
    let failed = ended.iter().filter(|it| matches!(it.change, Change::Failed { .. }));
    transitions::cancel_dependents(conn, failed.map(|it| it.task_id.into()).collect(), journal)
        .await
}

/// What waited for completed tasks only. Looks where something waits.
async fn dependents(
    conn: &mut Conn,
    ended: &[&Settlement],
    runs: &Runs,
    counts: &Counts,
) -> Result<Vec<Ready>> {
    let waits = |run| counts.get(run).is_some_and(|it| it.get(TaskStatus::Pending) > 0);
    let completed = ended
        .iter()
        .filter(|it| matches!(it.change, Change::Completed { .. }))
        .filter(|it| waits(&it.run_id) && !is_paused(runs, it.run_id));
    let ready = transitions::ready_after(conn, completed.map(|it| it.task_id.into()).collect());
    Ok(ready.await?.into_iter().map(|message| Ready { message, held: true }).collect())
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
