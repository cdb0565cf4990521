//! The outbox: written where a task becomes queued, in the same transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Integer, Text},
};
use diesel_async::RunQueryDsl;
use domain::{
    ids::TaskId,
    message::{Message, OutboxMessage},
    task::TaskStatus,
};

use super::{
    dialect::{
        self, Conn,
        columns::{Id, Ts},
    },
    rows::{OutboxRow, named},
    schema::{outbox, tasks},
};
use crate::{Result, error::During, key::Key, literal::status_is};

new_rows! {
    struct NewRow in outbox {
        task_id: Key as Id,
        run_id: Key as Id,
        role: &'static str as Text,
        attempt: i32 as Integer,
        created_at: DateTime<Utc> as Ts,
    }
}

/// Writes messages, to be published after the commit.
pub(crate) async fn add(
    conn: &mut Conn,
    messages: &[Message],
    now: DateTime<Utc>,
) -> Result<Vec<OutboxMessage>> {
    let rows: Vec<NewRow> = messages
        .iter()
        .map(|message| NewRow {
            task_id: message.task_id.into(),
            run_id: message.run_id.into(),
            role: message.role.name(),
            attempt: message.attempt,
            created_at: now,
        })
        .collect();
    let ids = insert_new!(conn, outbox::table, rows, outbox::id => i64, "write the outbox");
    Ok(ids
        .into_iter()
        .zip(messages)
        .map(|(id, message)| OutboxMessage { id, message: *message })
        .collect())
}

pub(crate) async fn delete(conn: &mut Conn, ids: Vec<i64>) -> Result<()> {
    diesel::delete(outbox::table.filter(outbox::id.eq_any(ids)))
        .execute(conn)
        .await
        .during("forget published messages")
        .map(drop)
}

pub(crate) async fn left_behind(
    conn: &mut Conn,
    age: Duration,
    limit: u32,
) -> Result<Vec<OutboxMessage>> {
    let before = dialect::now(conn).await? - age;
    let rows: Vec<OutboxRow> = outbox::table
        .filter(outbox::created_at.lt(before))
        .order(outbox::id)
        .limit(i64::from(limit))
        .select(OutboxRow::as_select())
        .load(conn)
        .await
        .during("look for messages left behind")?;
    rows.into_iter().map(OutboxRow::into_message).collect()
}

pub(crate) async fn announce_again(
    conn: &mut Conn,
    age: Duration,
    limit: u32,
) -> Result<Vec<OutboxMessage>> {
    let now = dialect::now(conn).await?;
    let forgotten = locked_if_free!(
        tasks::table
            .filter(status_is(TaskStatus::Queued))
            .filter(tasks::announced_at.lt(now - age))
            .order(tasks::queued_at)
            .limit(i64::from(limit))
            .select((tasks::id, tasks::run_id, tasks::role, tasks::attempt))
    );
    let rows: Vec<(Key, Key, String, i32)> =
        forgotten.load(conn).await.during("look for unclaimed tasks")?;
    let ids: Vec<Key> = rows.iter().map(|row| row.0).collect();
    diesel::update(tasks::table.filter(tasks::id.eq_any(ids)))
        .set(tasks::announced_at.eq(now))
        .execute(conn)
        .await
        .during("note the announcement")?;
    let messages = rows
        .into_iter()
        .map(|(task, run, role, attempt)| {
            let role = named("tasks.role", &role)?;
            Ok(Message {
                task_id: TaskId::from(task),
                run_id: run.into(),
                role,
                attempt: attempt + 1,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    add(conn, &messages, now).await
}
