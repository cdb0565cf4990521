//! Guards: what makes a creation happen once, across replicas, by a primary key that only one transaction can win.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types::Text};
use diesel_async::RunQueryDsl;
use domain::{delivery::DeliveryStatus, ids::RunId};
use serde_json::{Value, json};

use super::{
    deliveries::{self, NewDeliveryRow},
    dialect::{
        Conn,
        columns::{Bytes, Id, Js, Ts},
    },
    rows::{json as to_json, typed},
    schema::{deliveries as deliveries_table, firings, idempotency},
};
use crate::{
    Result,
    error::During,
    key::Key,
    runs::{Created, CreatedSet, Creation, Guard},
};

/// A principal, and the key that it chose.
type ClientKey<'a> = (&'a str, &'a str);

/// Requests of one batch that repeat an earlier one of it: (the repeat, the first).
pub(crate) type Repeats = Vec<(usize, usize)>;

new_rows! {
    struct NewAnswer<'a> in idempotency {
        principal: &'a str as Text,
        key: &'a str as Text,
        fingerprint: &'a [u8] as Bytes,
        response: Value as Js,
        created_at: DateTime<Utc> as Ts,
    }
}

new_rows! {
    struct NewFiring in firings {
        schedule_id: Key as Id,
        slot: DateTime<Utc> as Ts,
        run_id: Key as Id,
        fired_at: DateTime<Utc> as Ts,
    }
}

/// Answers those creations that must not happen again. The others have won their key with this transaction.
pub(crate) async fn pass(
    conn: &mut Conn,
    creations: &[Creation],
    answers: &mut [Option<Created>],
    now: DateTime<Utc>,
) -> Result<Repeats> {
    pass_deliveries(conn, creations, answers, now).await?;
    for (creation, answer) in creations.iter().zip(answers.iter_mut()) {
        let run = creation.run_id();
        let won = match &creation.guard {
            Guard::Slot { schedule_id, slot } if answer.is_none() => {
                let rows = [NewFiring {
                    schedule_id: (*schedule_id).into(),
                    slot: *slot,
                    run_id: run.map_or(Key(uuid::Uuid::nil()), Into::into),
                    fired_at: now,
                }];
                !insert_new!(conn, firings::table, rows, firings::slot => DateTime<Utc>, "fire a slot").is_empty()
            }
            Guard::Redelivery { id, skip_reason } if answer.is_none() => {
                deliveries::take_redelivery(conn, id, skip_reason.as_deref(), run).await?
            }
            Guard::None
            | Guard::Idempotency { .. }
            | Guard::Delivery(_)
            | Guard::Slot { .. }
            | Guard::Redelivery { .. } => true,
        };
        if !won {
            *answer = Some(Created::Duplicate);
        }
    }
    pass_keys(conn, creations, answers, now).await
}

async fn pass_deliveries(
    conn: &mut Conn,
    creations: &[Creation],
    answers: &mut [Option<Created>],
    now: DateTime<Utc>,
) -> Result<()> {
    // In the order of their ids, so that two batches with the same deliveries do not wait for each other in a circle.
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, creation) in creations.iter().enumerate() {
        if let (Guard::Delivery(delivery), None) = (&creation.guard, &answers[index]) {
            if first.contains_key(delivery.id.as_str())
                && !faults::without(faults::Guard::DeliveryDedupe)
            {
                answers[index] = Some(Created::Duplicate);
            } else {
                first.insert(&delivery.id, index);
            }
        }
    }
    if first.is_empty() {
        return Ok(());
    }
    let rows: Vec<NewDeliveryRow<'_>> = first
        .values()
        .filter_map(|index| match &creations[*index].guard {
            Guard::Delivery(delivery) => {
                let run: Option<RunId> = creations[*index].run_id();
                Some(deliveries::row(delivery, run, now))
            }
            Guard::None
            | Guard::Idempotency { .. }
            | Guard::Redelivery { .. }
            | Guard::Slot { .. } => None,
        })
        .collect();
    let new: Vec<String> = insert_new!(conn, deliveries_table::table, rows, deliveries_table::id => String, "store deliveries");
    let new: HashSet<String> = new.into_iter().collect();
    for (id, index) in first {
        if !new.contains(id) && !faults::without(faults::Guard::DeliveryDedupe) {
            answers[index] = Some(Created::Duplicate);
        }
    }
    Ok(())
}

async fn pass_keys(
    conn: &mut Conn,
    creations: &[Creation],
    answers: &mut [Option<Created>],
    now: DateTime<Utc>,
) -> Result<Repeats> {
    let mut repeats = Repeats::new();
    let mut first: BTreeMap<(&str, &str), (usize, &[u8])> = BTreeMap::new();
    for (index, creation) in creations.iter().enumerate() {
        if let (Guard::Idempotency { principal, key, fingerprint }, None) =
            (&creation.guard, &answers[index])
        {
            match first.get(&(principal.as_str(), key.as_str())) {
                Some((earlier, print)) if *print == fingerprint.as_slice() => {
                    answers[index] = Some(Created::Duplicate);
                    repeats.push((index, *earlier));
                }
                Some(_) => answers[index] = Some(Created::KeyReused),
                None => drop(first.insert((principal, key), (index, fingerprint))),
            }
        }
    }
    if first.is_empty() {
        return Ok(repeats);
    }
    let rows: Vec<NewAnswer<'_>> = first
        .iter()
        .map(|((principal, key), (_, fingerprint))| NewAnswer {
            principal,
            key,
            fingerprint,
            response: json!({}),
            created_at: now,
        })
        .collect();
    let new: Vec<(String, String)> = insert_new!(
        conn, idempotency::table, rows, (idempotency::principal, idempotency::key) => (String, String),
        "store idempotency keys"
    );
    let new: HashMap<(&str, &str), ()> =
        new.iter().map(|(principal, key)| ((principal.as_str(), key.as_str()), ())).collect();
    for ((principal, key), (index, fingerprint)) in first {
        if !new.contains_key(&(principal, key)) {
            answers[index] = Some(earlier_answer(conn, principal, key, fingerprint).await?);
        }
    }
    Ok(repeats)
}

/// The answers that earlier requests with the same keys got.
pub(crate) async fn answered_before(
    conn: &mut Conn,
    creations: &[Creation],
) -> Result<Vec<Option<Created>>> {
    let mut wanted: HashMap<ClientKey<'_>, Vec<(usize, &[u8])>> = HashMap::new();
    for (index, creation) in creations.iter().enumerate() {
        if let Guard::Idempotency { principal, key, fingerprint } = &creation.guard {
            wanted.entry((principal, key)).or_default().push((index, fingerprint));
        }
    }
    let mut answers: Vec<Option<Created>> = creations.iter().map(|_| None).collect();
    if wanted.is_empty() {
        return Ok(answers);
    }
    let (principals, keys): (Vec<&str>, Vec<&str>) = wanted.keys().copied().unzip();
    let rows: Vec<(String, String, Vec<u8>, Value)> = idempotency::table
        .filter(idempotency::principal.eq_any(principals))
        .filter(idempotency::key.eq_any(keys))
        .select((
            idempotency::principal,
            idempotency::key,
            idempotency::fingerprint,
            idempotency::response,
        ))
        .load(conn)
        .await
        .during("look for earlier answers")?;
    for (principal, key, stored, response) in rows {
        let asked = wanted.get(&(principal.as_str(), key.as_str())).into_iter().flatten();
        for (index, fingerprint) in asked {
            answers[*index] = Some(if stored == *fingerprint {
                Created::Replayed(typed("idempotency.response", response.clone())?)
            } else {
                Created::KeyReused
            });
        }
    }
    Ok(answers)
}

async fn earlier_answer(
    conn: &mut Conn,
    principal: &str,
    key: &str,
    fingerprint: &[u8],
) -> Result<Created> {
    let (stored, response): (Vec<u8>, Value) = idempotency::table
        .find((principal, key))
        .select((idempotency::fingerprint, idempotency::response))
        .first(conn)
        .await
        .during("read an earlier answer")?;
    if stored != fingerprint {
        return Ok(Created::KeyReused);
    }
    Ok(Created::Replayed(typed("idempotency.response", response)?))
}

/// Keeps an answer, to be given again.
pub(crate) async fn remember_answer(
    conn: &mut Conn,
    principal: &str,
    key: &str,
    set: &CreatedSet,
) -> Result<()> {
    diesel::update(idempotency::table.find((principal, key)))
        .set(idempotency::response.eq(to_json(set)))
        .execute(conn)
        .await
        .during("keep an answer")
        .map(drop)
}

/// Gives requests that repeat an earlier one of the same batch its answer.
pub(crate) fn answer_repeats(answers: &mut [Option<Created>], repeats: Repeats) {
    for (repeat, first) in repeats {
        answers[repeat] = match &answers[first] {
            Some(Created::New { set, .. }) => Some(Created::Replayed(set.clone())),
            other => other.clone(),
        };
    }
}

/// The status of a delivery, by whether it starts a run.
pub(crate) fn delivery_status(run: Option<RunId>) -> DeliveryStatus {
    if run.is_some() { DeliveryStatus::Accepted } else { DeliveryStatus::Skipped }
}
