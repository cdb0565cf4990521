//! Dead letters: tasks that failed for good, until somebody replays or dismisses them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Integer, Text},
};
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    message::OutboxMessage,
    role::Role,
    run::RunStatus,
    settlement::{Change, Settlement},
    task::{CancelReason, Failure, Task, TaskStatus},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    dialect::{
        self, Conn,
        columns::{Id, Ts},
    },
    history::Journal,
    lookup::{self, Runs},
    rows::{named, storable},
    run_status::{self, Delta},
    runs,
    schema::{dead_letters, tasks as tasks_table},
    settle::is_paused,
    tasks,
    transitions::{self, Queueing},
};
use crate::{
    Page, PageRequest, Position, Result,
    error::During,
    key::{Key, keys},
    runs::RunChanged,
    tasks::{Changed, DeadLetter, DeadLetterChoice, DeadLettersDone},
};

new_rows! {
    #[derive(Queryable)]
    struct LetterRow in dead_letters {
        task_id: Key as Id,
        run_id: Key as Id,
        role: String as Text,
        reason: String as Text,
        code: String as Text,
        message: String as Text,
        attempts: i32 as Integer,
        at: DateTime<Utc> as Ts,
    }
}

impl LetterRow {
    fn into_letter(self) -> Result<DeadLetter> {
        Ok(DeadLetter {
            task_id: self.task_id.into(),
            run_id: self.run_id.into(),
            role: named("dead_letters.role", &self.role)?,
            reason: named("dead_letters.reason", &self.reason)?,
            error: Failure { code: named("dead_letters.code", &self.code)?, message: self.message },
            attempts: self.attempts,
            at: self.at,
        })
    }
}

/// Adds those that failed for good.
pub(crate) async fn add(conn: &mut Conn, ended: &[&Settlement], now: DateTime<Utc>) -> Result<()> {
    let rows: Vec<LetterRow> = ended
        .iter()
        .filter_map(|settlement| match &settlement.change {
            Change::Failed { failure, why } => Some(LetterRow {
                task_id: settlement.task_id.into(),
                run_id: settlement.run_id.into(),
                role: settlement.role.name().to_owned(),
                reason: why.name().to_owned(),
                code: failure.code.name().to_owned(),
                message: storable(&failure.message),
                attempts: settlement.attempt,
                at: now,
            }),
            Change::Completed { .. } | Change::Retrying { .. } | Change::HandedBack => None,
        })
        .collect();
    insert_all!(conn, dead_letters::table, rows, "write dead letters");
    Ok(())
}

pub(crate) async fn list(
    conn: &mut Conn,
    role: Option<Role>,
    page: PageRequest,
) -> Result<Page<DeadLetter>> {
    let mut query = dead_letters::table.into_boxed();
    if let Some(role) = role {
        query = query.filter(dead_letters::role.eq(role.name()));
    }
    if let Some(after) = page.after {
        let id = Key(Uuid::parse_str(&after.id).unwrap_or_default());
        // Its own bound, which an index can use, beside the exact one.
        query = query.filter(dead_letters::at.le(after.at));
        query = query.filter(
            dead_letters::at
                .lt(after.at)
                .or(dead_letters::at.eq(after.at).and(dead_letters::task_id.lt(id))),
        );
    }
    let rows: Vec<LetterRow> = query
        .order((dead_letters::at.desc(), dead_letters::task_id.desc()))
        .limit(i64::from(page.limit) + 1)
        .select(LetterRow::as_select())
        .load(conn)
        .await
        .during("list dead letters")?;
    let items = rows.into_iter().map(LetterRow::into_letter).collect::<Result<_>>()?;
    Ok(Page::of(items, page.limit, |it: &DeadLetter| Position {
        at: it.at,
        id: it.task_id.to_string(),
    }))
}

pub(crate) async fn count(conn: &mut Conn, role: Option<Role>) -> Result<i64> {
    let mut query = dead_letters::table.into_boxed();
    if let Some(role) = role {
        query = query.filter(dead_letters::role.eq(role.name()));
    }
    query.count().get_result(conn).await.during("count dead letters")
}

/// The dead letters that a request is about, with their runs.
async fn chosen(conn: &mut Conn, choice: DeadLetterChoice) -> Result<Vec<(Key, Key)>> {
    let mut query = dead_letters::table.into_boxed();
    query = match choice {
        DeadLetterChoice::These(ids) => query.filter(dead_letters::task_id.eq_any(keys(&ids))),
        DeadLetterChoice::Oldest { role: Some(role), limit } => {
            query.filter(dead_letters::role.eq(role.name())).limit(i64::from(limit))
        }
        DeadLetterChoice::Oldest { role: None, limit } => query.limit(i64::from(limit)),
    };
    query
        .order((dead_letters::at, dead_letters::task_id))
        .select((dead_letters::task_id, dead_letters::run_id))
        .load(conn)
        .await
        .during("choose dead letters")
}

pub(crate) async fn replay(conn: &mut Conn, choice: DeadLetterChoice) -> Result<DeadLettersDone> {
    let letters = chosen(conn, choice).await?;
    let places = letters.iter().map(|(_, run)| (*run).into()).collect();
    let mut runs = lookup::lock_runs(conn, places).await?;
    let tasks: Vec<Key> = letters.into_iter().map(|(task, _)| task).collect();
    let Revived { task_ids, announce } = revive(conn, tasks, TaskStatus::Failed, &mut runs).await?;
    Ok(DeadLettersDone { task_ids, announce })
}

pub(crate) async fn purge(conn: &mut Conn, choice: DeadLetterChoice) -> Result<DeadLettersDone> {
    let letters = chosen(conn, choice).await?;
    let mut journal = Journal::new(dialect::now(conn).await?);
    // The runs first: whoever writes their history holds them.
    lookup::lock_runs(conn, letters.iter().map(|(_, run)| (*run).into()).collect()).await?;
    let ids: Vec<Key> = letters.into_iter().map(|(task, _)| task).collect();
    let gone: Vec<(Key, Key)> =
        diesel::delete(dead_letters::table.filter(dead_letters::task_id.eq_any(ids)))
            .returning((dead_letters::task_id, dead_letters::run_id))
            .get_results(conn)
            .await
            .during("purge dead letters")?;
    for (task, run) in &gone {
        let ids = ((*run).into(), (*task).into());
        journal.task(ids, EventKind::DeadLetterPurged, 0, json!({}));
    }
    journal.write(conn).await?;
    let task_ids = gone.into_iter().map(|(task, _)| task.into()).collect();
    Ok(DeadLettersDone { task_ids, announce: Vec::new() })
}

async fn forget(conn: &mut Conn, ids: &[Key]) -> Result<()> {
    diesel::delete(dead_letters::table.filter(dead_letters::task_id.eq_any(ids)))
        .execute(conn)
        .await
        .during("remove dead letters")
        .map(drop)
}

pub(crate) async fn retry(conn: &mut Conn, id: TaskId) -> Result<Changed<Task>> {
    let Some((task, mut runs)) = tasks::lock(conn, id).await? else { return Ok(Changed::Missing) };
    let key = Key::from(id);
    let announce = match task.status {
        TaskStatus::Failed | TaskStatus::Cancelled => {
            if transitions::hopeless(conn, &[key]).await?.contains(&key) {
                // It would wait for a task that nobody tries again.
                return Ok(Changed::NotNow(task.status));
            }
            revive(conn, vec![key], task.status, &mut runs).await?.announce
        }
        TaskStatus::Retrying => end_backoff(conn, &task, &runs).await?,
        TaskStatus::Pending
        | TaskStatus::Queued
        | TaskStatus::Running
        | TaskStatus::Waiting
        | TaskStatus::Completed => return Ok(Changed::NotNow(task.status)),
    };
    tasks::changed(conn, id, announce).await
}

/// Lets a retrying task come now; in a paused run, as soon as that is resumed.
async fn end_backoff(conn: &mut Conn, task: &Task, runs: &Runs) -> Result<Vec<OutboxMessage>> {
    let mut journal = Journal::new(dialect::now(conn).await?);
    let key = Key::from(task.id);
    diesel::update(tasks_table::table.find(key))
        .filter(tasks_table::status.eq(TaskStatus::Retrying.name()))
        .set(tasks_table::run_at.eq(journal.now))
        .execute(conn)
        .await
        .during("end a backoff")?;
    if is_paused(runs, task.run_id) {
        return Ok(Vec::new());
    }
    let how = Queueing { from: TaskStatus::Retrying, event: EventKind::TaskQueued };
    let announce = transitions::queue_and_announce(conn, vec![key], how, &mut journal).await?;
    journal.write(conn).await?;
    Ok(announce)
}

pub(crate) async fn retry_run(conn: &mut Conn, id: RunId) -> Result<RunChanged> {
    let Some((status, mut runs)) = runs::lock(conn, id).await? else {
        return Ok(RunChanged::Missing);
    };
    if status != RunStatus::Failed {
        return Ok(RunChanged::NotNow(status));
    }
    let failed: Vec<Key> = tasks_table::table
        .filter(tasks_table::run_id.eq(Key::from(id)))
        .filter(tasks_table::status.eq(TaskStatus::Failed.name()))
        .select(tasks_table::id)
        .load(conn)
        .await
        .during("find failed tasks")?;
    if failed.is_empty() {
        // Its workflow ended it; there is nothing that could be tried again.
        return Ok(RunChanged::NotNow(status));
    }
    let announce = revive(conn, failed, TaskStatus::Failed, &mut runs).await?.announce;
    runs::changed(conn, id, announce).await
}

/// Tasks that live again.
struct Revived {
    task_ids: Vec<TaskId>,
    /// Messages of those of them that nothing holds back.
    announce: Vec<OutboxMessage>,
}

/// Lets ended tasks begin anew; what was cancelled for want of them waits again, and their runs live again.
async fn revive(
    conn: &mut Conn,
    ids: Vec<Key>,
    from: TaskStatus,
    runs: &mut Runs,
) -> Result<Revived> {
    let mut journal = Journal::new(dialect::now(conn).await?);
    let revived =
        begin_anew(conn, ids, (from, None), EventKind::TaskReplayed, &mut journal).await?;
    let keys: Vec<Key> = revived.iter().map(|(task, _)| *task).collect();
    forget(conn, &keys).await?;
    revive_dependents(conn, keys, &mut journal).await?;

    let touched: BTreeSet<RunId> = revived.iter().map(|(_, run)| (*run).into()).collect();
    let free =
        revived.iter().filter(|(_, run)| !is_paused(runs, (*run).into())).map(|(task, _)| *task);
    let ready = transitions::ready(conn, free.collect()).await?;
    let how = Queueing { from: TaskStatus::Pending, event: EventKind::TaskQueued };
    let announce = transitions::queue_and_announce(conn, ready, how, &mut journal).await?;
    let deltas: BTreeMap<RunId, Delta> =
        touched.into_iter().map(|run| (run, Delta { reopen: true, ..Delta::default() })).collect();
    run_status::refresh(conn, runs, deltas, &mut journal).await?;
    journal.write(conn).await?;
    Ok(Revived { task_ids: revived.into_iter().map(|(task, _)| task.into()).collect(), announce })
}

/// Sets tasks back to pending, with their attempts counted from zero. Gives back those that were in the state to come from.
async fn begin_anew(
    conn: &mut Conn,
    ids: Vec<Key>,
    (from, reason): (TaskStatus, Option<CancelReason>),
    event: EventKind,
    journal: &mut Journal,
) -> Result<Vec<(Key, Key)>> {
    debug_assert!(from.may_become(TaskStatus::Pending), "{from} → pending");
    let mut query = tasks_table::table
        .filter(tasks_table::id.eq_any(ids))
        .filter(tasks_table::status.eq(from.name()))
        .select(tasks_table::id)
        .into_boxed();
    if let Some(reason) = reason {
        query = query.filter(tasks_table::cancel_reason.eq(reason.name()));
    }
    let ids: Vec<Key> = query.load(conn).await.during("look for tasks to revive")?;
    let rows: Vec<(Key, Key)> =
        diesel::update(tasks_table::table.filter(tasks_table::id.eq_any(ids)))
            .filter(tasks_table::status.eq(from.name()))
            .set((
                tasks_table::status.eq(TaskStatus::Pending.name()),
                // Replaying a task is asking for it; what waits for it may still wait for a dispatch of its own.
                reason.is_none().then_some(tasks_table::dispatched.eq(true)),
                tasks_table::attempt.eq(0),
                tasks_table::error_code.eq(None::<String>),
                tasks_table::error_message.eq(None::<String>),
                tasks_table::cancel_reason.eq(None::<String>),
                tasks_table::finished_at.eq(None::<DateTime<Utc>>),
            ))
            .returning((tasks_table::id, tasks_table::run_id))
            .get_results(conn)
            .await
            .during("revive tasks")?;
    for (task, run) in &rows {
        journal.task(((*run).into(), (*task).into()), event, 0, json!({}));
    }
    Ok(rows)
}

async fn revive_dependents(conn: &mut Conn, ids: Vec<Key>, journal: &mut Journal) -> Result<()> {
    let from = (TaskStatus::Cancelled, Some(CancelReason::DependencyFailed));
    let mut upstream = ids;
    while !upstream.is_empty() {
        let mut waiting = transitions::dependents(conn, &upstream).await?;
        let hopeless = transitions::hopeless(conn, &waiting).await?;
        waiting.retain(|id| !hopeless.contains(id));
        let rows = begin_anew(conn, waiting, from, EventKind::TaskRevived, journal).await?;
        upstream = rows.into_iter().map(|(task, _)| task).collect();
    }
    Ok(())
}
