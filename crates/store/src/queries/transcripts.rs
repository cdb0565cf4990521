//! Transcripts: what was said in each attempt.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Integer, Nullable, Text},
};
use diesel_async::RunQueryDsl;
use domain::{ids::TaskId, settlement::Settlement, transcript::Turn};

use super::{
    dialect::{
        Conn,
        columns::{Id, Ts},
    },
    rows::{named, storable},
    schema::turns,
};
use crate::{Result, error::During, key::Key, tasks::AttemptTurn};

new_rows! {
    #[derive(Queryable)]
    struct TurnRow in turns {
        task_id: Key as Id,
        fence: i64 as BigInt,
        seq: i32 as Integer,
        attempt: i32 as Integer,
        kind: String as Text,
        speaker: String as Text,
        content: String as Text,
        model: Option<String> as Nullable<Text>,
        tokens_in: Option<i64> as Nullable<BigInt>,
        tokens_out: Option<i64> as Nullable<BigInt>,
        latency_ms: Option<i64> as Nullable<BigInt>,
        at: DateTime<Utc> as Ts,
    }
}

/// Keeps what was said in these attempts.
pub(crate) async fn append(conn: &mut Conn, settlements: &[&Settlement]) -> Result<()> {
    let rows: Vec<TurnRow> = settlements
        .iter()
        .flat_map(|settlement| settlement.spent.turns.iter().map(|turn| row(settlement, turn)))
        .collect();
    insert_all!(conn, turns::table, rows, "keep the transcript");
    Ok(())
}

fn row(settlement: &Settlement, turn: &Turn) -> TurnRow {
    TurnRow {
        task_id: settlement.task_id.into(),
        fence: settlement.fence,
        seq: turn.seq,
        attempt: settlement.attempt,
        kind: turn.kind.name().to_owned(),
        speaker: turn.role.name().to_owned(),
        content: storable(&turn.content),
        model: turn.model.as_deref().map(storable),
        tokens_in: turn.tokens_in,
        tokens_out: turn.tokens_out,
        latency_ms: turn.latency_ms,
        at: turn.at,
    }
}

pub(crate) async fn of_task(conn: &mut Conn, id: TaskId) -> Result<Vec<AttemptTurn>> {
    let rows: Vec<TurnRow> = turns::table
        .filter(turns::task_id.eq(Key::from(id)))
        .order((turns::fence, turns::seq))
        .select(TurnRow::as_select())
        .load(conn)
        .await
        .during("read a transcript")?;
    let turn = |row: TurnRow| {
        Ok(AttemptTurn {
            attempt: row.attempt,
            turn: Turn {
                seq: row.seq,
                kind: named("turns.kind", &row.kind)?,
                role: named("turns.speaker", &row.speaker)?,
                content: row.content,
                model: row.model,
                tokens_in: row.tokens_in,
                tokens_out: row.tokens_out,
                latency_ms: row.latency_ms,
                at: row.at,
            },
        })
    };
    rows.into_iter().map(turn).collect()
}
