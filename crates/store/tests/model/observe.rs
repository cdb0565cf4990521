//! What the store holds, compared with the model, and what must hold whatever happened.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    run::{Run, RunStatus},
    task::{Task, TaskStatus},
};
use store::{PageRequest, Store};

use crate::model::{self, Event, Model};

/// A run as it is stored, its tasks and its history.
type Seen = (Run, Vec<Task>, Vec<Event>);

/// Everything that the store says of the runs of a model.
#[derive(Debug)]
pub(crate) struct Observed {
    runs: BTreeMap<RunId, Option<Seen>>,
    letters: Vec<TaskId>,
    outbox: Vec<(TaskId, i32)>,
}

/// Compares all that the store holds with the model.
pub(crate) async fn compare(store: &Store, model: &Model) -> Result<(), String> {
    let observed = observe(store, model.runs.keys().copied()).await?;
    same("outbox", &observed.outbox, &sorted(model.outbox.clone()))?;
    agree(&observed, model)?;
    observed.runs.values().flatten().try_for_each(invariants)
}

/// Reads these runs, and what there is beside runs.
pub(crate) async fn observe(
    store: &Store,
    ids: impl Iterator<Item = RunId>,
) -> Result<Observed, String> {
    let failed = |error: store::Error| format!("could not look: {error:?}");
    let mut runs = BTreeMap::new();
    for id in ids {
        let Some(run) = store.find_run(id).await.map_err(failed)? else {
            runs.insert(id, None);
            continue;
        };
        let tasks = store.tasks_of_run(id).await.map_err(failed)?;
        let events = store.run_events(id, 0, 10_000).await.map_err(failed)?;
        let events = events.into_iter().map(|it| (it.task_id, it.kind, it.attempt)).collect();
        runs.insert(id, Some((run, tasks, events)));
    }
    let all = PageRequest { after: None, limit: 10_000 };
    let letters = store.list_dead_letters(None, all).await.map_err(failed)?;
    let outbox = store.left_behind(Duration::ZERO, 10_000).await.map_err(failed)?;
    Ok(Observed {
        runs,
        letters: sorted(letters.items.into_iter().map(|it| it.task_id).collect()),
        outbox: sorted(crate::ask::messages(&outbox)),
    })
}

/// Whether runs, tasks, history and dead letters are those of the model.
pub(crate) fn agree(observed: &Observed, model: &Model) -> Result<(), String> {
    let letters = model.tasks.iter().filter(|(_, it)| it.letter).map(|(id, _)| *id).collect();
    same("dead letters", &observed.letters, &letters)?;
    for (id, row) in &observed.runs {
        let (Some(expected), Some((run, tasks, events))) = (model.runs.get(id), row) else {
            if model.runs.contains_key(id) != row.is_some() {
                return Err(format!("run {id} is {row:?}"));
            }
            continue;
        };
        let actual = (run.status, run.started_at.is_some(), run.outcome.is_some());
        let wanted = (expected.status, expected.started, expected.outcome);
        same(&format!("run {id} (status, started, outcome)"), &actual, &wanted)?;
        same(&format!("requests of run {id}"), &run.usage.requests, &expected.requests)?;
        let actual: BTreeMap<TaskId, String> =
            tasks.iter().map(|task| (task.id, stored(task))).collect();
        let all = model.tasks.iter().filter(|(_, task)| task.run == *id);
        let wanted: BTreeMap<TaskId, String> =
            all.map(|(id, task)| (*id, modelled(task))).collect();
        same(&format!("tasks of run {id}"), &actual, &wanted)?;
        let wanted = model.history.get(id).map(Vec::as_slice).unwrap_or_default();
        same("history", &by_task(events), &by_task(wanted))?;
    }
    Ok(())
}

/// Messages of tasks that are queued by the model, with how often: what a worker could still need.
pub(crate) fn needed(observed: &Observed, model: &Model) -> bool {
    let queued = model.tasks.iter().filter(|(_, task)| task.status == TaskStatus::Queued);
    queued
        .map(|(id, task)| (*id, task.attempt + 1))
        .all(|row| observed.outbox.contains(&row) == model.outbox.contains(&row))
}

/// What holds for every run, whatever came before.
fn invariants((run, tasks, events): &(Run, Vec<Task>, Vec<Event>)) -> Result<(), String> {
    let is = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let live = tasks.iter().any(|task| !task.status.is_final());
    let paused = run.status == RunStatus::Paused;
    is(!(run.status.is_final() && live), "a run that has ended has live tasks")?;
    is(run.status.is_final() || live, "a live run has no live task")?;
    is(run.finished_at.is_some() == run.status.is_final(), "a run's end has no time")?;
    for task in tasks {
        is(
            task.max_attempts.is_none_or(|most| task.attempt <= most),
            "more attempts than there are",
        )?;
        is(!(paused && task.status == TaskStatus::Queued), "a paused run has a queued task")?;
        let began = |kind: &EventKind| {
            events.iter().filter(|it| it.0 == Some(task.id) && it.1 == *kind).count()
        };
        // Each attempt begins once and ends at most once.
        let ends = [
            EventKind::TaskCompleted,
            EventKind::TaskRetrying,
            EventKind::TaskFailed,
            EventKind::TaskHandedBack,
            EventKind::TaskLeaseExpired,
        ];
        let ended: usize = ends.iter().map(began).sum();
        is(ended <= began(&EventKind::TaskStarted), "more attempts ended than began")?;
        is(began(&EventKind::TaskCompleted) <= 1, "a task completed twice")?;
    }
    Ok(())
}

/// A task as the store has it.
fn stored(task: &Task) -> String {
    let (mut needs, lease) = (task.depends_on.clone(), task.worker_id);
    needs.sort_unstable();
    let n = task.metadata.get("n").and_then(serde_json::Value::as_u64);
    format!(
        "{} dispatched {} attempt {}/{:?} by {lease:?} {} at {} waits for {needs:?} error {:?} reason {:?} \
         result {} requests {} metadata {n:?}",
        task.status,
        task.dispatched,
        task.attempt,
        task.max_attempts,
        task.role,
        task.priority.get(),
        task.error.as_ref().map(|it| it.code),
        task.cancel_reason,
        task.result.is_some(),
        task.usage.requests,
    )
}

/// A task as the model has it, in the same words.
fn modelled(task: &model::Task) -> String {
    format!(
        "{} dispatched {} attempt {}/{:?} by {:?} {} at {} waits for {:?} error {:?} reason {:?} \
         result {} requests {} metadata {:?}",
        task.status,
        task.dispatched,
        task.attempt,
        task.max_attempts,
        task.lease.map(|(worker, _)| worker),
        task.role,
        task.priority,
        task.needs.iter().collect::<Vec<_>>(),
        task.error,
        task.reason,
        task.status == TaskStatus::Completed,
        task.requests,
        task.metadata,
    )
}

/// The history of each task, and of the run itself: within each, the order counts.
fn by_task(events: &[Event]) -> BTreeMap<Option<TaskId>, String> {
    let mut all: BTreeMap<Option<TaskId>, String> = BTreeMap::new();
    for (task, kind, attempt) in events {
        let text = all.entry(*task).or_default();
        text.push_str(kind.name());
        if let Some(attempt) = attempt {
            text.push_str(&format!("({attempt})"));
        }
        text.push(' ');
    }
    all
}

fn same<T: Debug + PartialEq>(what: &str, actual: &T, expected: &T) -> Result<(), String> {
    if actual == expected {
        return Ok(());
    }
    Err(format!("{what}: the store has\n  {actual:?}\nand should have\n  {expected:?}"))
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all
}
