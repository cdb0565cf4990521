//! History: appended in batches, read in order.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Integer, Nullable, Text},
};
use diesel_async::RunQueryDsl;
use domain::{
    history::{Event, EventKind},
    ids::{RunId, TaskId},
};
use serde_json::Value;

use super::{
    dialect::{
        Conn,
        columns::{Id, Js, Ts},
    },
    rows::EventRow,
    schema::events,
};
use crate::{Result, error::During, key::Key};

new_rows! {
    struct NewEvent in events {
        run_id: Key as Id,
        task_id: Option<Key> as Nullable<Id>,
        at: DateTime<Utc> as Ts,
        kind: &'static str as Text,
        attempt: Option<i32> as Nullable<Integer>,
        data: Value as Js,
    }
}

/// What a transaction adds to the history, gathered in order and written at its end, in one statement.
#[must_use = "a journal that is not written is history that is lost"]
pub(crate) struct Journal {
    /// The time of the transaction: everything that it does happens at once.
    pub(crate) now: DateTime<Utc>,
    events: Vec<NewEvent>,
}

impl Journal {
    pub(crate) const fn new(now: DateTime<Utc>) -> Self {
        Self { now, events: Vec::new() }
    }

    /// Something happened to a run.
    pub(crate) fn run(&mut self, run: RunId, kind: EventKind, data: Value) {
        self.events.push(NewEvent {
            run_id: run.into(),
            task_id: None,
            at: self.now,
            kind: kind.name(),
            attempt: None,
            data,
        });
    }

    /// Something happened to a task; `attempt` is 0 where it is not about one.
    pub(crate) fn task(
        &mut self,
        (run, task): (RunId, TaskId),
        kind: EventKind,
        attempt: i32,
        data: Value,
    ) {
        self.events.push(NewEvent {
            run_id: run.into(),
            task_id: Some(task.into()),
            at: self.now,
            kind: kind.name(),
            attempt: Some(attempt).filter(|attempt| *attempt > 0),
            data,
        });
    }

    /// Appends everything to the history. The caller holds the locks of the runs.
    pub(crate) async fn write(self, conn: &mut Conn) -> Result<()> {
        insert_all!(conn, events::table, self.events, "append history");
        Ok(())
    }
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
