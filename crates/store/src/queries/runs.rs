//! Runs as clients see and change them.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::RunId,
    message::OutboxMessage,
    run::{Run, RunStatus},
    task::{CancelReason, TaskStatus},
    workflow::RunEnd,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    dialect::{self, Conn},
    history::Journal,
    lookup::{self, Runs},
    rows::{RunRow, named},
    run_status::{self, Delta, derived},
    schema::{runs, runs as runs_table},
    tasks,
    transitions::{self, Queueing},
};
use crate::{
    Page, PageRequest, Position, Result,
    error::During,
    key::Key,
    runs::{RunChanged, RunFilter},
};

pub(crate) async fn find(conn: &mut Conn, id: RunId) -> Result<Option<Run>> {
    let row: Option<RunRow> = runs::table
        .find(Key::from(id))
        .select(RunRow::as_select())
        .first(conn)
        .await
        .optional()
        .during("find a run")?;
    row.map(RunRow::into_run).transpose()
}

pub(crate) async fn list(
    conn: &mut Conn,
    filter: RunFilter,
    page: PageRequest,
) -> Result<Page<Run>> {
    let mut query = runs::table.into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(runs::status.eq(status.name()));
    }
    if let Some(workflow) = filter.workflow {
        query = query.filter(runs::workflow.eq(workflow.name()));
    }
    if let Some(repository) = filter.repository {
        query = query.filter(runs::repository.eq(repository));
    }
    if let Some(after) = page.after {
        let id = Key(Uuid::parse_str(&after.id).unwrap_or_default());
        // Its own bound, which an index can use, beside the exact one.
        query = query.filter(runs::created_at.le(after.at));
        query = query.filter(
            runs::created_at.lt(after.at).or(runs::created_at.eq(after.at).and(runs::id.lt(id))),
        );
    }
    let rows: Vec<RunRow> = query
        .order((runs::created_at.desc(), runs::id.desc()))
        .limit(i64::from(page.limit) + 1)
        .select(RunRow::as_select())
        .load(conn)
        .await
        .during("list runs")?;
    let items = rows.into_iter().map(RunRow::into_run).collect::<Result<_>>()?;
    Ok(Page::of(items, page.limit, |it: &Run| Position {
        at: it.created_at,
        id: it.id.to_string(),
    }))
}

/// Locks a run and reads its status.
pub(crate) async fn lock(conn: &mut Conn, id: RunId) -> Result<Option<(RunStatus, Runs)>> {
    let runs = lookup::lock_runs(conn, vec![id]).await?;
    match runs.get(&id) {
        Some(row) => Ok(Some((named("runs.status", &row.status)?, runs))),
        None => Ok(None),
    }
}

/// The run as it is now, after a change to it in this transaction.
pub(crate) async fn changed(
    conn: &mut Conn,
    id: RunId,
    announce: Vec<OutboxMessage>,
) -> Result<RunChanged> {
    Ok(match find(conn, id).await? {
        Some(run) => RunChanged::Done { run: Box::new(run), announce },
        None => RunChanged::Missing,
    })
}

pub(crate) async fn cancel(conn: &mut Conn, id: RunId) -> Result<RunChanged> {
    let Some((status, mut runs)) = lock(conn, id).await? else { return Ok(RunChanged::Missing) };
    if status.is_final() {
        return Ok(RunChanged::NotNow(status));
    }
    let mut journal = Journal::new(dialect::now(conn).await?);
    let outcome = json!({ "reason": CancelReason::Requested });
    let end = Some(RunEnd { status: RunStatus::Cancelled, outcome });
    let delta = Delta { end, ..Delta::default() };
    run_status::refresh(conn, &mut runs, BTreeMap::from([(id, delta)]), &mut journal).await?;
    journal.write(conn).await?;
    changed(conn, id, Vec::new()).await
}

pub(crate) async fn pause(conn: &mut Conn, id: RunId) -> Result<RunChanged> {
    let Some((status, _)) = lock(conn, id).await? else { return Ok(RunChanged::Missing) };
    if status.is_final() || status == RunStatus::Paused {
        return Ok(RunChanged::NotNow(status));
    }
    let mut journal = Journal::new(dialect::now(conn).await?);
    tasks::hold_queued(conn, id, &mut journal).await?;
    diesel::update(runs::table.find(Key::from(id)))
        .set(runs::status.eq(RunStatus::Paused.name()))
        .execute(conn)
        .await
        .during("pause a run")?;
    journal.run(id, EventKind::RunPaused, json!({}));
    journal.write(conn).await?;
    changed(conn, id, Vec::new()).await
}

pub(crate) async fn resume(conn: &mut Conn, id: RunId) -> Result<RunChanged> {
    let Some((status, runs)) = lock(conn, id).await? else { return Ok(RunChanged::Missing) };
    if status != RunStatus::Paused {
        return Ok(RunChanged::NotNow(status));
    }
    let mut journal = Journal::new(dialect::now(conn).await?);
    let how = Queueing { from: TaskStatus::Pending, event: EventKind::TaskQueued };
    let held = tasks::held_of_run(conn, id).await?;
    let announce = transitions::queue_and_announce(conn, held, how, &mut journal).await?;
    let counts = lookup::count_tasks(conn, vec![id]).await?;
    let begun = runs.get(&id).is_some_and(|row| row.started_at.is_some());
    let status = counts.get(&id).map_or(RunStatus::Queued, |counts| derived(begun, counts));
    diesel::update(runs_table::table.find(Key::from(id)))
        .set(runs_table::status.eq(status.name()))
        .execute(conn)
        .await
        .during("resume a run")?;
    journal.run(id, EventKind::RunResumed, json!({}));
    journal.write(conn).await?;
    changed(conn, id, announce).await
}
