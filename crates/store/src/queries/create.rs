//! Creation: runs and tasks with what makes them happen once, many requests in one transaction.

use std::collections::HashMap;

use diesel::{
    prelude::*,
    result::{DatabaseErrorKind, Error as Diesel},
};
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    message::{Message, OutboxMessage},
    run::{NewRun, RunStatus},
    task::TaskStatus,
};

use super::{
    create_rows::{self, Placed},
    dialect::{self, Conn},
    guards,
    history::Journal,
    lookup::{self, Runs},
    outbox,
    rows::named,
    schema::tasks,
    transitions::{self, Queueing},
};
use crate::{
    Error, Result,
    error::During,
    key::{Key, keys},
    runs::{Created, CreatedSet, Creation, Guard},
};

pub(crate) async fn create(conn: &mut Conn, creations: Vec<Creation>) -> Result<Vec<Created>> {
    let ids = chosen_ids(&creations);
    match create_all(conn, creations).await {
        Err(Error::Query {
            source: Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _),
            ..
        }) => Err(Error::Conflict { ids }),
        other => other,
    }
}

/// The ids of runs and tasks that are to be made.
fn chosen_ids(creations: &[Creation]) -> Vec<String> {
    let mut ids = Vec::new();
    for creation in creations {
        for run in &creation.runs {
            ids.push(run.id.to_string());
            ids.extend(run.tasks.iter().map(|task| task.id.to_string()));
        }
        ids.extend(creation.tasks.iter().map(|added| added.task.id.to_string()));
    }
    ids
}

async fn create_all(conn: &mut Conn, creations: Vec<Creation>) -> Result<Vec<Created>> {
    let now = dialect::now(conn).await?;
    let mut journal = Journal::new(now);
    let places =
        creations.iter().flat_map(|it| it.tasks.iter().map(|added| added.run_id)).collect();
    let existing = lookup::lock_runs(conn, places).await?;
    let known = known_dependencies(conn, &creations).await?;

    // What was answered before is answered so again, whatever has become of its run since.
    let mut answers = guards::answered_before(conn, &creations).await?;
    for (creation, answer) in creations.iter().zip(&mut answers) {
        if answer.is_none() {
            *answer = obstacle(creation, &existing, &known).transpose()?;
        }
    }
    let repeats = guards::pass(conn, &creations, &mut answers, now).await?;
    let open: Vec<usize> = (0..creations.len()).filter(|index| answers[*index].is_none()).collect();

    let runs: Vec<&NewRun> = open.iter().flat_map(|index| &creations[*index].runs).collect();
    create_rows::insert_runs(conn, &runs, &mut journal).await?;
    let placed: Vec<Vec<Placed>> =
        open.iter().map(|index| place(&creations[*index], &existing)).collect();
    let all: Vec<Placed> = placed.iter().flatten().cloned().collect();
    let mut messages = create_rows::insert_tasks(conn, &all, &mut journal).await?;
    messages.extend(ready_at_once(conn, &all, &known, &mut journal).await?);
    journal.write(conn).await?;
    let announced = outbox::add(conn, &messages, now).await?;

    let mut by_task: HashMap<TaskId, OutboxMessage> =
        announced.into_iter().map(|row| (row.message.task_id, row)).collect();
    for (index, placed) in open.into_iter().zip(placed) {
        let creation = &creations[index];
        let set = CreatedSet {
            runs: creation.runs.iter().map(|run| create_rows::run_as_stored(run, now)).collect(),
            tasks: placed
                .iter()
                .map(|it| it.as_stored(by_task.contains_key(&it.task.id), now))
                .collect(),
        };
        if let Guard::Idempotency { principal, key, .. } = &creation.guard {
            guards::remember_answer(conn, principal, key, &set).await?;
        }
        let announce = set.tasks.iter().filter_map(|task| by_task.remove(&task.id)).collect();
        answers[index] = Some(Created::New { set, announce });
    }
    guards::answer_repeats(&mut answers, repeats);
    Ok(answers.into_iter().map(|answer| answer.expect("every creation was answered")).collect())
}

fn place(creation: &Creation, existing: &Runs) -> Vec<Placed> {
    let own = creation.runs.iter().flat_map(|run| {
        run.tasks.iter().map(|task| Placed { run_id: run.id, paused: false, task: task.clone() })
    });
    let added = creation.tasks.iter().map(|added| Placed {
        run_id: added.run_id,
        paused: super::settle::is_paused(existing, added.run_id),
        task: added.task.clone(),
    });
    own.chain(added).collect()
}

/// Queues tasks all of whose dependencies had completed before they were made.
async fn ready_at_once(
    conn: &mut Conn,
    placed: &[Placed],
    known: &Known,
    journal: &mut Journal,
) -> Result<Vec<Message>> {
    let mut late: Vec<Key> = Vec::new();
    for placed in
        placed.iter().filter(|placed| !placed.paused && !placed.task.depends_on.is_empty())
    {
        if placed.task.depends_on.iter().all(|on| known.contains_key(on)) {
            late.push(placed.task.id.into());
        }
    }
    let ready = transitions::ready(conn, late).await?;
    let how = Queueing { from: TaskStatus::Pending, event: EventKind::TaskQueued };
    transitions::queue(conn, ready, how, journal).await
}

/// Tasks that exist already, with their run and status.
type Known = HashMap<TaskId, (RunId, TaskStatus)>;

/// Dependencies on tasks that exist already.
async fn known_dependencies(conn: &mut Conn, creations: &[Creation]) -> Result<Known> {
    let wanted: Vec<TaskId> = creations
        .iter()
        .flat_map(|creation| creation.tasks.iter().flat_map(|added| added.task.depends_on.clone()))
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Key, Key, String)> = tasks::table
        .filter(tasks::id.eq_any(keys(&wanted)))
        .select((tasks::id, tasks::run_id, tasks::status))
        .load(conn)
        .await
        .during("look up dependencies")?;
    rows.into_iter()
        .map(|(task, run, status)| Ok((task.into(), (run.into(), named("tasks.status", &status)?))))
        .collect()
}

/// Why a creation cannot be made, before anything is written.
fn obstacle(creation: &Creation, existing: &Runs, known: &Known) -> Option<Result<Created>> {
    for added in &creation.tasks {
        let Some(row) = existing.get(&added.run_id) else {
            return Some(Ok(Created::RunMissing(added.run_id)));
        };
        match named::<RunStatus>("runs.status", &row.status) {
            Ok(status) if status.is_final() => {
                return Some(Ok(Created::RunEnded(added.run_id, status)));
            }
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
    }
    bad_dependency(creation, known)
        .map(|(task, depends_on)| Ok(Created::BadDependency { task, depends_on }))
}

fn bad_dependency(creation: &Creation, known: &Known) -> Option<(TaskId, TaskId)> {
    let own = creation.runs.iter().flat_map(|run| run.tasks.iter().map(|task| (run.id, task)));
    let added = creation.tasks.iter().map(|added| (added.run_id, &added.task));
    let all: Vec<_> = own.chain(added).collect();
    if all.iter().all(|(_, task)| task.depends_on.is_empty()) {
        return None;
    }
    let place: HashMap<TaskId, RunId> = all.iter().map(|(run, task)| (task.id, *run)).collect();
    let may_complete = |on: &TaskId| match known.get(on) {
        Some((run, status)) => {
            Some(*run).filter(|_| !matches!(status, TaskStatus::Failed | TaskStatus::Cancelled))
        }
        None => None,
    };
    for (run, task) in &all {
        for on in &task.depends_on {
            let there = place.get(on).copied().or_else(|| may_complete(on));
            if there != Some(*run) || *on == task.id {
                return Some((task.id, *on));
            }
        }
    }
    circle(&all.iter().map(|(_, task)| (task.id, task.depends_on.as_slice())).collect())
}

/// An edge of a circle of new tasks, if there is one (Kahn's algorithm). Tasks that exist cannot depend on new ones.
fn circle(tasks: &HashMap<TaskId, &[TaskId]>) -> Option<(TaskId, TaskId)> {
    let mut open: HashMap<TaskId, usize> = HashMap::new();
    let mut waiting: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
    for (id, depends_on) in tasks {
        let new: Vec<_> = depends_on.iter().filter(|on| tasks.contains_key(on)).collect();
        open.insert(*id, new.len());
        for on in new {
            waiting.entry(*on).or_default().push(*id);
        }
    }
    let mut free: Vec<TaskId> =
        open.iter().filter(|(_, open)| **open == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        for dependent in waiting.remove(&id).unwrap_or_default() {
            let left = open.get_mut(&dependent).expect("every dependent is a new task");
            *left -= 1;
            if *left == 0 {
                free.push(dependent);
            }
        }
    }
    let (on, dependents) = waiting.into_iter().next()?;
    Some((dependents[0], on))
}
