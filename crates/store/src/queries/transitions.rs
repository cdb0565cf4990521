//! Transitions of tasks outside an attempt: queue, hold, cancel. Each `UPDATE` repeats as its guard the states that the
//! domain lets go there.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    message::{Message, OutboxMessage},
    task::{CancelReason, TaskStatus},
};
use serde_json::json;

use super::{
    dialect::Conn,
    history::Journal,
    outbox,
    rows::named,
    schema::{dependencies, tasks},
};
use crate::{Result, error::During, key::Key};

/// How tasks become queued.
#[derive(Clone, Copy)]
pub(crate) struct Queueing {
    /// The only state that they may come from.
    pub(crate) from: TaskStatus,
    /// What history says of it.
    pub(crate) event: EventKind,
}

/// Queues tasks and gives back their messages, not yet written to the outbox.
pub(crate) async fn queue(
    conn: &mut Conn,
    ids: Vec<Key>,
    how: Queueing,
    journal: &mut Journal,
) -> Result<Vec<Message>> {
    debug_assert!(how.from.may_become(TaskStatus::Queued), "{} → queued", how.from);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Key, Key, String, i32)> =
        diesel::update(tasks::table.filter(tasks::id.eq_any(ids)))
            .filter(tasks::status.eq(how.from.name()))
            .set((
                tasks::status.eq(TaskStatus::Queued.name()),
                tasks::dispatched.eq(true),
                tasks::queued_at.eq(journal.now),
                tasks::announced_at.eq(journal.now),
                tasks::run_at.eq(None::<DateTime<Utc>>),
                tasks::finished_at.eq(None::<DateTime<Utc>>),
            ))
            .returning((tasks::id, tasks::run_id, tasks::role, tasks::attempt))
            .get_results(conn)
            .await
            .during("queue tasks")?;
    let mut messages = Vec::with_capacity(rows.len());
    for (task, run, role, attempt) in rows {
        let (task_id, run_id): (TaskId, RunId) = (task.into(), run.into());
        let role = named("tasks.role", &role)?;
        journal.task((run_id, task_id), how.event, 0, json!({}));
        messages.push(Message { task_id, run_id, role, attempt: attempt + 1 });
    }
    Ok(messages)
}

/// Queues tasks and announces them.
pub(crate) async fn queue_and_announce(
    conn: &mut Conn,
    ids: Vec<Key>,
    how: Queueing,
    journal: &mut Journal,
) -> Result<Vec<OutboxMessage>> {
    let messages = queue(conn, ids, how, journal).await?;
    outbox::add(conn, &messages, journal.now).await
}

/// Cancels those of these tasks that are live, and gives them back.
pub(crate) async fn cancel(
    conn: &mut Conn,
    ids: Vec<Key>,
    reason: CancelReason,
    journal: &mut Journal,
) -> Result<Vec<Key>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let live: Vec<_> = TaskStatus::LIVE.iter().map(|it| it.name()).collect();
    let rows: Vec<(Key, Key, i32)> = diesel::update(tasks::table.filter(tasks::id.eq_any(ids)))
        .filter(tasks::status.eq_any(live))
        .set((
            tasks::status.eq(TaskStatus::Cancelled.name()),
            tasks::cancel_reason.eq(reason.name()),
            tasks::worker_id.eq(None::<Key>),
            tasks::leased_until.eq(None::<DateTime<Utc>>),
            tasks::run_at.eq(None::<DateTime<Utc>>),
            tasks::finished_at.eq(journal.now),
        ))
        .returning((tasks::id, tasks::run_id, tasks::attempt))
        .get_results(conn)
        .await
        .during("cancel tasks")?;
    for (task, run, attempt) in &rows {
        let ids = ((*run).into(), (*task).into());
        journal.task(ids, EventKind::TaskCancelled, *attempt, json!({ "reason": reason }));
    }
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Cancels what waits, directly or not, for tasks that will not complete.
pub(crate) async fn cancel_dependents(
    conn: &mut Conn,
    ids: Vec<Key>,
    journal: &mut Journal,
) -> Result<()> {
    let mut hopeless = ids;
    while !hopeless.is_empty() {
        let waiting = dependents(conn, &hopeless).await?;
        hopeless = cancel(conn, waiting, CancelReason::DependencyFailed, journal).await?;
    }
    Ok(())
}

/// Tasks that wait directly for one of these.
pub(crate) async fn dependents(conn: &mut Conn, ids: &[Key]) -> Result<Vec<Key>> {
    dependencies::table
        .filter(dependencies::depends_on.eq_any(ids))
        .select(dependencies::task_id)
        .distinct()
        .load(conn)
        .await
        .during("find dependents")
}

/// Those of these tasks that wait for no other task.
pub(crate) async fn without_open_dependencies(conn: &mut Conn, ids: Vec<Key>) -> Result<Vec<Key>> {
    if ids.is_empty() {
        return Ok(ids);
    }
    let upstream = diesel::alias!(tasks as upstream);
    let open: Vec<Key> = dependencies::table
        .inner_join(upstream.on(upstream.field(tasks::id).eq(dependencies::depends_on)))
        .filter(dependencies::task_id.eq_any(&ids))
        .filter(upstream.field(tasks::status).ne(TaskStatus::Completed.name()))
        .select(dependencies::task_id)
        .load(conn)
        .await
        .during("look for open dependencies")?;
    let open: HashSet<Key> = open.into_iter().collect();
    Ok(ids.into_iter().filter(|id| !open.contains(id)).collect())
}

/// Tasks that waited for one of these, are dispatched and wait for no other task; the most urgent first. With the messages
/// that will announce them.
pub(crate) async fn ready_after(conn: &mut Conn, completed: Vec<Key>) -> Result<Vec<Message>> {
    if completed.is_empty() {
        return Ok(Vec::new());
    }
    let waiting = dependencies::table
        .filter(dependencies::depends_on.eq_any(completed))
        .select(dependencies::task_id);
    let upstream = diesel::alias!(tasks as upstream);
    let open = dependencies::table
        .inner_join(upstream.on(upstream.field(tasks::id).eq(dependencies::depends_on)))
        .filter(dependencies::task_id.eq(tasks::id))
        .filter(upstream.field(tasks::status).ne(TaskStatus::Completed.name()));
    let rows: Vec<(Key, Key, String, i32)> = tasks::table
        .filter(tasks::id.eq_any(waiting))
        .filter(tasks::status.eq(TaskStatus::Pending.name()))
        .filter(tasks::dispatched.eq(true))
        .filter(diesel::dsl::not(diesel::dsl::exists(open)))
        .order((tasks::priority, tasks::created_at, tasks::id))
        .select((tasks::id, tasks::run_id, tasks::role, tasks::attempt))
        .load(conn)
        .await
        .during("find what became ready")?;
    rows.into_iter()
        .map(|(task, run, role, attempt)| {
            let role = named("tasks.role", &role)?;
            let (task_id, run_id) = (task.into(), run.into());
            Ok(Message { task_id, run_id, role, attempt: attempt + 1 })
        })
        .collect()
}

/// Those of these tasks that are pending, dispatched, and wait for no other task; the most urgent first.
pub(crate) async fn ready(conn: &mut Conn, ids: Vec<Key>) -> Result<Vec<Key>> {
    let candidates = without_open_dependencies(conn, ids).await?;
    if candidates.is_empty() {
        return Ok(candidates);
    }
    tasks::table
        .filter(tasks::id.eq_any(candidates))
        .filter(tasks::status.eq(TaskStatus::Pending.name()))
        .filter(tasks::dispatched.eq(true))
        .order((tasks::priority, tasks::created_at, tasks::id))
        .select(tasks::id)
        .load(conn)
        .await
        .during("find what is ready")
}

/// Those of these tasks that wait for one that will not complete unless somebody replays it.
pub(crate) async fn hopeless(conn: &mut Conn, ids: &[Key]) -> Result<HashSet<Key>> {
    let upstream = diesel::alias!(tasks as upstream);
    let ended = [TaskStatus::Failed.name(), TaskStatus::Cancelled.name()];
    let waiting: Vec<Key> = dependencies::table
        .inner_join(upstream.on(upstream.field(tasks::id).eq(dependencies::depends_on)))
        .filter(dependencies::task_id.eq_any(ids))
        .filter(upstream.field(tasks::status).eq_any(ended))
        .select(dependencies::task_id)
        .load(conn)
        .await
        .during("look for failed dependencies")?;
    Ok(waiting.into_iter().collect())
}
