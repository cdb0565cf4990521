//! History: appended in batches, read in order.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::{Event, EventKind},
    ids::{RunId, TaskId},
};
use serde_json::Value;

use super::{dialect::Conn, rows::EventRow, schema::events};
use crate::{Result, error::During, key::Key};

/// An event to be appended.
#[derive(Insertable)]
#[diesel(table_name = events)]
pub(crate) struct NewEvent {
    run_id: Key,
    task_id: Option<Key>,
    at: DateTime<Utc>,
    kind: &'static str,
    attempt: Option<i32>,
    data: Value,
}

impl NewEvent {
    pub(crate) fn of_run(run: RunId, at: DateTime<Utc>, kind: EventKind, data: Value) -> Self {
        Self { run_id: run.into(), task_id: None, at, kind: kind.name(), attempt: None, data }
    }

    pub(crate) fn of_task(
        (run, task): (RunId, TaskId),
        at: DateTime<Utc>,
        kind: EventKind,
        attempt: i32,
        data: Value,
    ) -> Self {
        let attempt = Some(attempt).filter(|attempt| *attempt > 0);
        Self {
            run_id: run.into(),
            task_id: Some(task.into()),
            at,
            kind: kind.name(),
            attempt,
            data,
        }
    }
}

/// Appends events, in their order.
pub(crate) async fn append(conn: &mut Conn, events: Vec<NewEvent>) -> Result<()> {
    insert_all!(conn, events::table, events, "append history");
    Ok(())
}

pub(crate) async fn of_task(conn: &mut Conn, id: TaskId) -> Result<Vec<Event>> {
    // By its run, which has the index. A deleted task's history is read with its run's.
    let Some(run) = super::tasks::run_of(conn, id).await? else { return Ok(Vec::new()) };
    let rows: Vec<EventRow> = events::table
        .filter(events::run_id.eq(Key::from(run)))
        .filter(events::task_id.eq(Key::from(id)))
        .order(events::id)
        .select(EventRow::as_select())
        .load(conn)
        .await
        .during("read the history of a task")?;
    rows.into_iter().map(EventRow::into_event).collect()
}

pub(crate) async fn of_run(
    conn: &mut Conn,
    id: RunId,
    after: i64,
    limit: u32,
) -> Result<Vec<Event>> {
    let rows: Vec<EventRow> = events::table
        .filter(events::run_id.eq(Key::from(id)))
        .filter(events::id.gt(after))
        .order(events::id)
        .limit(i64::from(limit))
        .select(EventRow::as_select())
        .load(conn)
        .await
        .during("read the history of a run")?;
    rows.into_iter().map(EventRow::into_event).collect()
}
