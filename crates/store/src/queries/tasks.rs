//! Tasks as clients see and change them.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    role::Role,
    run::RunStatus,
    task::{CancelReason, Task, TaskStatus},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    dialect::{self, Conn},
    history::Journal,
    lookup,
    rows::TaskRow,
    run_status::{self, Delta},
    schema::{dependencies, runs, tasks},
    settle::is_paused,
    transitions::{self, Queueing},
};
use crate::{
    Page, PageRequest, Position, Result,
    error::During,
    key::{Key, keys},
    literal::status_is,
    merge_patch::merge_patch,
    tasks::{Changed, TaskFilter, TaskPatch},
};

pub(crate) async fn find(conn: &mut Conn, id: TaskId) -> Result<Option<Task>> {
    Ok(find_many(conn, vec![id]).await?.pop())
}

pub(crate) async fn find_many(conn: &mut Conn, ids: Vec<TaskId>) -> Result<Vec<Task>> {
    let rows: Vec<TaskRow> = tasks::table
        .filter(tasks::id.eq_any(keys(&ids)))
        .select(TaskRow::as_select())
        .load(conn)
        .await
        .during("find tasks")?;
    with_dependencies(conn, rows).await
}

pub(crate) async fn of_run(conn: &mut Conn, id: RunId) -> Result<Vec<Task>> {
    let rows: Vec<TaskRow> = tasks::table
        .filter(tasks::run_id.eq(Key::from(id)))
        .order((tasks::created_at, tasks::id))
        .select(TaskRow::as_select())
        .load(conn)
        .await
        .during("list the tasks of a run")?;
    with_dependencies(conn, rows).await
}

pub(crate) async fn list(
    conn: &mut Conn,
    filter: TaskFilter,
    page: PageRequest,
) -> Result<Page<Task>> {
    let mut query = tasks::table.into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(status_is(status));
    }
    if let Some(role) = filter.role {
        query = query.filter(tasks::role.eq(role.name()));
    }
    if let Some(run) = filter.run_id {
        query = query.filter(tasks::run_id.eq(Key::from(run)));
    }
    if let Some(text) = &filter.text {
        query = query.filter(contains!(tasks::description, text));
    }
    if let Some(after) = page.after {
        let id = Key(Uuid::parse_str(&after.id).unwrap_or_default());
        // Its own bound, which an index can use, beside the exact one.
        query = query.filter(tasks::created_at.le(after.at));
        query = query.filter(
            tasks::created_at.lt(after.at).or(tasks::created_at.eq(after.at).and(tasks::id.lt(id))),
        );
    }
    let rows: Vec<TaskRow> = query
        .order((tasks::created_at.desc(), tasks::id.desc()))
        .limit(i64::from(page.limit) + 1)
        .select(TaskRow::as_select())
        .load(conn)
        .await
        .during("list tasks")?;
    let items = with_dependencies(conn, rows).await?;
    Ok(Page::of(items, page.limit, |it: &Task| Position {
        at: it.created_at,
        id: it.id.to_string(),
    }))
}

/// Reads the dependencies of all rows in one statement.
async fn with_dependencies(conn: &mut Conn, rows: Vec<TaskRow>) -> Result<Vec<Task>> {
    let ids: Vec<Key> = rows.iter().map(|row| row.id).collect();
    let edges: Vec<(Key, Key)> = dependencies::table
        .filter(dependencies::task_id.eq_any(ids))
        .order((dependencies::task_id, dependencies::depends_on))
        .select((dependencies::task_id, dependencies::depends_on))
        .load(conn)
        .await
        .during("read dependencies")?;
    let mut depends_on: HashMap<Key, Vec<TaskId>> = HashMap::new();
    for (task, on) in edges {
        depends_on.entry(task).or_default().push(on.into());
    }
    rows.into_iter()
        .map(|row| {
            let on = depends_on.remove(&row.id).unwrap_or_default();
            row.into_task(on)
        })
        .collect()
}

/// The run of a task; none where it does not exist.
pub(crate) async fn run_of(conn: &mut Conn, id: TaskId) -> Result<Option<RunId>> {
    let run: Option<Key> = tasks::table
        .find(Key::from(id))
        .select(tasks::run_id)
        .first(conn)
        .await
        .optional()
        .during("find the run of a task")?;
    Ok(run.map(Into::into))
}

/// The live tasks of a run.
pub(crate) async fn live_of_run(conn: &mut Conn, id: RunId) -> Result<Vec<Key>> {
    let live: Vec<_> = TaskStatus::LIVE.iter().map(|it| it.name()).collect();
    tasks::table
        .filter(tasks::run_id.eq(Key::from(id)))
        .filter(tasks::status.eq_any(live))
        .select(tasks::id)
        .load(conn)
        .await
        .during("find live tasks")
}

/// Locks a task after its run, and reads it.
pub(crate) async fn lock(conn: &mut Conn, id: TaskId) -> Result<Option<(Task, lookup::Runs)>> {
    let Some(run) = run_of(conn, id).await? else { return Ok(None) };
    let runs = lookup::lock_runs(conn, vec![run]).await?;
    let row: Option<TaskRow> =
        locked!(tasks::table.filter(tasks::id.eq(Key::from(id))).select(TaskRow::as_select()))
            .first(conn)
            .await
            .optional()
            .during("lock a task")?;
    let Some(row) = row else { return Ok(None) };
    let task = with_dependencies(conn, vec![row]).await?.pop();
    Ok(task.map(|task| (task, runs)))
}

/// The task as it is now, after a change to it in this transaction.
pub(crate) async fn changed(
    conn: &mut Conn,
    id: TaskId,
    announce: Vec<domain::message::OutboxMessage>,
) -> Result<Changed<Task>> {
    Ok(match find(conn, id).await? {
        Some(now) => Changed::Done { now, announce },
        None => Changed::Missing,
    })
}

pub(crate) async fn update(conn: &mut Conn, id: TaskId, patch: TaskPatch) -> Result<Changed<Task>> {
    let Some((task, _)) = lock(conn, id).await? else { return Ok(Changed::Missing) };
    if task.status == TaskStatus::Running || task.status.is_final() {
        return Ok(Changed::NotNow(task.status));
    }
    let now = dialect::now(conn).await?;
    let mut fields = Vec::new();
    let mut note = |given: bool, name: &'static str| {
        if given {
            fields.push(name);
        }
    };
    note(patch.description.is_some(), "description");
    note(patch.payload.is_some(), "payload");
    note(patch.priority.is_some(), "priority");
    note(patch.role.is_some(), "role");
    note(patch.max_attempts.is_some(), "maxAttempts");
    if fields.is_empty() {
        return Ok(Changed::Done { now: task, announce: Vec::new() });
    }
    let role = patch.role.unwrap_or(task.role);
    // A queued task whose role changes is announced anew: its message is in the queue of the old one.
    let again = task.status == TaskStatus::Queued && role != task.role;
    diesel::update(tasks::table.find(Key::from(id)))
        .set((
            tasks::description.eq(patch.description.unwrap_or(task.description)),
            tasks::payload.eq(patch.payload.unwrap_or(task.payload)),
            tasks::priority.eq(patch.priority.unwrap_or(task.priority).get()),
            tasks::role.eq(role.name()),
            tasks::max_attempts
                .eq(patch.max_attempts.map(|it| it.max(task.attempt + 1)).or(task.max_attempts)),
        ))
        .execute(conn)
        .await
        .during("update a task")?;
    let mut journal = Journal::new(now);
    journal.task((task.run_id, id), EventKind::TaskUpdated, 0, json!({ "fields": fields }));
    journal.write(conn).await?;
    let message = domain::message::Message {
        task_id: id,
        run_id: task.run_id,
        role,
        attempt: task.attempt + 1,
    };
    let announce =
        if again { super::outbox::add(conn, &[message], now).await? } else { Vec::new() };
    changed(conn, id, announce).await
}

pub(crate) async fn delete(conn: &mut Conn, id: TaskId) -> Result<Changed<()>> {
    let Some((task, mut runs)) = lock(conn, id).await? else { return Ok(Changed::Missing) };
    let mut journal = Journal::new(dialect::now(conn).await?);
    let key = Key::from(id);
    transitions::cancel(conn, vec![key], CancelReason::Requested, &mut journal).await?;
    if task.status != TaskStatus::Completed {
        transitions::cancel_dependents(conn, vec![key], &mut journal).await?;
    }
    let deltas = BTreeMap::from([(task.run_id, Delta::default())]);
    run_status::refresh(conn, &mut runs, deltas, &mut journal).await?;
    let data = json!({ "status": task.status, "role": task.role });
    journal.task((task.run_id, id), EventKind::TaskDeleted, task.attempt, data);
    journal.write(conn).await?;
    diesel::delete(tasks::table.find(key)).execute(conn).await.during("delete a task")?;
    Ok(Changed::Done { now: (), announce: Vec::new() })
}

const DISPATCH: Queueing = Queueing { from: TaskStatus::Pending, event: EventKind::TaskQueued };

pub(crate) async fn dispatch(conn: &mut Conn, id: TaskId) -> Result<Changed<Task>> {
    let Some((task, runs)) = lock(conn, id).await? else { return Ok(Changed::Missing) };
    if task.status != TaskStatus::Pending {
        return Ok(Changed::NotNow(task.status));
    }
    let mut journal = Journal::new(dialect::now(conn).await?);
    let key = Key::from(id);
    mark_dispatched(conn, &[key]).await?;
    let ready = if is_paused(&runs, task.run_id) {
        Vec::new()
    } else {
        transitions::ready(conn, vec![key]).await?
    };
    let announce = transitions::queue_and_announce(conn, ready, DISPATCH, &mut journal).await?;
    journal.write(conn).await?;
    changed(conn, id, announce).await
}

async fn mark_dispatched(conn: &mut Conn, ids: &[Key]) -> Result<()> {
    diesel::update(tasks::table.filter(tasks::id.eq_any(ids)))
        .filter(tasks::status.eq(TaskStatus::Pending.name()))
        .set(tasks::dispatched.eq(true))
        .execute(conn)
        .await
        .during("mark tasks as dispatched")
        .map(drop)
}

pub(crate) async fn dispatch_next(
    conn: &mut Conn,
    role: Option<Role>,
    limit: u32,
) -> Result<Changed<Vec<TaskId>>> {
    let mut journal = Journal::new(dialect::now(conn).await?);
    let upstream = diesel::alias!(tasks as upstream);
    let open = dependencies::table
        .inner_join(upstream.on(upstream.field(tasks::id).eq(dependencies::depends_on)))
        .filter(dependencies::task_id.eq(tasks::id))
        .filter(upstream.field(tasks::status).ne(TaskStatus::Completed.name()));
    let mut query = tasks::table
        .inner_join(runs::table)
        // Before the limit: many that are held back must not hide one that is not.
        .filter(runs::status.ne(RunStatus::Paused.name()))
        .filter(diesel::dsl::not(diesel::dsl::exists(open)))
        .filter(status_is(TaskStatus::Pending))
        .filter(tasks::dispatched.eq(false))
        .into_boxed();
    if let Some(role) = role {
        query = query.filter(tasks::role.eq(role.name()));
    }
    let candidates: Vec<(Key, Key)> = query
        .order((tasks::created_at, tasks::id))
        .limit(i64::from(limit))
        .select((tasks::id, tasks::run_id))
        .load(conn)
        .await
        .during("look for tasks to dispatch")?;
    let places = candidates.iter().map(|(_, run)| (*run).into()).collect();
    let runs = lookup::lock_runs(conn, places).await?;
    let open = candidates.iter().filter(|(_, run)| !is_paused(&runs, (*run).into()));
    let free =
        transitions::without_open_dependencies(conn, open.map(|(task, _)| *task).collect()).await?;
    mark_dispatched(conn, &free).await?;
    let announce = transitions::queue_and_announce(conn, free, DISPATCH, &mut journal).await?;
    journal.write(conn).await?;
    let now = announce.iter().map(|row| row.message.task_id).collect();
    Ok(Changed::Done { now, announce })
}

pub(crate) async fn cancel(conn: &mut Conn, id: TaskId) -> Result<Changed<Task>> {
    let Some((task, mut runs)) = lock(conn, id).await? else { return Ok(Changed::Missing) };
    if task.status.is_final() {
        return Ok(Changed::NotNow(task.status));
    }
    let mut journal = Journal::new(dialect::now(conn).await?);
    let key = Key::from(id);
    transitions::cancel(conn, vec![key], CancelReason::Requested, &mut journal).await?;
    transitions::cancel_dependents(conn, vec![key], &mut journal).await?;
    let deltas = BTreeMap::from([(task.run_id, Delta::default())]);
    run_status::refresh(conn, &mut runs, deltas, &mut journal).await?;
    journal.write(conn).await?;
    changed(conn, id, Vec::new()).await
}

pub(crate) async fn patch_metadata(
    conn: &mut Conn,
    id: TaskId,
    patch: Value,
) -> Result<Changed<Value>> {
    let Some((task, _)) = lock(conn, id).await? else { return Ok(Changed::Missing) };
    let mut metadata = task.metadata;
    merge_patch(&mut metadata, patch);
    diesel::update(tasks::table.find(Key::from(id)))
        .set(tasks::metadata.eq(&metadata))
        .execute(conn)
        .await
        .during("change metadata")?;
    Ok(Changed::Done { now: metadata, announce: Vec::new() })
}

/// Held tasks of a run: pending, dispatched, and not waiting for another task.
pub(crate) async fn held_of_run(conn: &mut Conn, id: RunId) -> Result<Vec<Key>> {
    let pending: Vec<Key> = tasks::table
        .filter(tasks::run_id.eq(Key::from(id)))
        .filter(tasks::status.eq(TaskStatus::Pending.name()))
        .select(tasks::id)
        .load(conn)
        .await
        .during("find held tasks")?;
    transitions::ready(conn, pending).await
}

/// Keeps back the queued tasks of a run.
pub(crate) async fn hold_queued(conn: &mut Conn, id: RunId, journal: &mut Journal) -> Result<()> {
    let rows: Vec<Key> = diesel::update(tasks::table.filter(tasks::run_id.eq(Key::from(id))))
        .filter(tasks::status.eq(TaskStatus::Queued.name()))
        .set(tasks::status.eq(TaskStatus::Pending.name()))
        .returning(tasks::id)
        .get_results(conn)
        .await
        .during("hold queued tasks")?;
    for task in rows {
        journal.task((id, task.into()), EventKind::TaskHeld, 0, json!({}));
    }
    Ok(())
}
