//! Deliveries: stored compressed, listed without their payload.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Nullable, Text},
};
use diesel_async::RunQueryDsl;
use domain::{
    delivery::{Delivery, DeliveryStatus, NewDelivery},
    ids::RunId,
};

use super::{
    dialect::{
        Conn,
        columns::{Bytes, Id, Ts},
    },
    guards::delivery_status,
    rows::named,
    schema::deliveries,
};
use crate::{
    Error, Page, PageRequest, Position, Result,
    deliveries::{DeliveryFilter, Redelivery, StoredDelivery},
    error::During,
    key::Key,
};

new_rows! {
    struct NewDeliveryRow<'a> in deliveries {
        id: &'a str as Text,
        event: &'a str as Text,
        action: Option<&'a str> as Nullable<Text>,
        repository: Option<&'a str> as Nullable<Text>,
        sender: Option<&'a str> as Nullable<Text>,
        installation_id: Option<i64> as Nullable<BigInt>,
        status: &'static str as Text,
        reason: Option<&'a str> as Nullable<Text>,
        run_id: Option<Key> as Nullable<Id>,
        payload: Vec<u8> as Bytes,
        size: i64 as BigInt,
        received_at: DateTime<Utc> as Ts,
    }
}

pub(crate) fn row(
    delivery: &NewDelivery,
    run: Option<RunId>,
    now: DateTime<Utc>,
) -> NewDeliveryRow<'_> {
    NewDeliveryRow {
        id: &delivery.id,
        event: &delivery.event,
        action: delivery.action.as_deref(),
        repository: delivery.repository.as_deref(),
        sender: delivery.sender.as_deref(),
        installation_id: delivery.installation_id,
        status: delivery_status(run).name(),
        reason: delivery.skip_reason.as_deref(),
        run_id: run.map(Into::into),
        payload: lz4_flex::compress_prepend_size(&delivery.payload),
        size: i64::try_from(delivery.payload.len()).unwrap_or(i64::MAX),
        received_at: now,
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct DeliveryRow {
    id: String,
    event: String,
    action: Option<String>,
    repository: Option<String>,
    sender: Option<String>,
    installation_id: Option<i64>,
    status: String,
    reason: Option<String>,
    run_id: Option<Key>,
    size: i64,
    redeliveries: i32,
    received_at: DateTime<Utc>,
}

impl DeliveryRow {
    fn into_delivery(self) -> Result<Delivery> {
        Ok(Delivery {
            status: named("deliveries.status", &self.status)?,
            id: self.id,
            event: self.event,
            action: self.action,
            repository: self.repository,
            sender: self.sender,
            installation_id: self.installation_id,
            reason: self.reason,
            run_id: self.run_id.map(Into::into),
            size: self.size,
            redeliveries: self.redeliveries,
            received_at: self.received_at,
        })
    }
}

fn stored((row, payload): (DeliveryRow, Vec<u8>)) -> Result<StoredDelivery> {
    let payload = lz4_flex::decompress_size_prepended(&payload).map_err(|error| {
        Error::Corrupt { column: "deliveries.payload", what: error.to_string() }
    })?;
    Ok(StoredDelivery { delivery: row.into_delivery()?, payload })
}

pub(crate) async fn list(
    conn: &mut Conn,
    filter: DeliveryFilter,
    page: PageRequest,
) -> Result<Page<Delivery>> {
    let mut query = deliveries::table.into_boxed();
    if let Some(event) = filter.event {
        query = query.filter(deliveries::event.eq(event));
    }
    if let Some(status) = filter.status {
        query = query.filter(deliveries::status.eq(status.name()));
    }
    if let Some(repository) = filter.repository {
        query = query.filter(deliveries::repository.eq(repository));
    }
    if let Some(after) = page.after {
        // Its own bound, which an index can use, beside the exact one.
        query = query.filter(deliveries::received_at.le(after.at));
        query = query.filter(
            deliveries::received_at
                .lt(after.at)
                .or(deliveries::received_at.eq(after.at).and(deliveries::id.lt(after.id))),
        );
    }
    let rows: Vec<DeliveryRow> = query
        .order((deliveries::received_at.desc(), deliveries::id.desc()))
        .limit(i64::from(page.limit) + 1)
        .select(DeliveryRow::as_select())
        .load(conn)
        .await
        .during("list deliveries")?;
    let items = rows.into_iter().map(DeliveryRow::into_delivery).collect::<Result<_>>()?;
    Ok(Page::of(items, page.limit, |it: &Delivery| Position {
        at: it.received_at,
        id: it.id.clone(),
    }))
}

pub(crate) async fn find(conn: &mut Conn, id: String) -> Result<Option<StoredDelivery>> {
    let row = deliveries::table
        .find(id)
        .select((DeliveryRow::as_select(), deliveries::payload))
        .first(conn)
        .await
        .optional()
        .during("find a delivery")?;
    row.map(stored).transpose()
}

pub(crate) async fn request_redelivery(conn: &mut Conn, id: String) -> Result<Redelivery> {
    let requested: Option<DeliveryRow> = diesel::update(deliveries::table.find(&id))
        .filter(deliveries::status.ne(DeliveryStatus::Redelivering.name()))
        .set((
            deliveries::status.eq(DeliveryStatus::Redelivering.name()),
            deliveries::redeliveries.eq(deliveries::redeliveries + 1),
        ))
        .returning(DeliveryRow::as_returning())
        .get_result(conn)
        .await
        .optional()
        .during("request a redelivery")?;
    if let Some(row) = requested {
        return Ok(Redelivery::Requested(row.into_delivery()?));
    }
    let pending: Option<DeliveryRow> = deliveries::table
        .find(id)
        .select(DeliveryRow::as_select())
        .first(conn)
        .await
        .optional()
        .during("find a delivery")?;
    Ok(match pending {
        Some(row) => Redelivery::Pending(row.into_delivery()?),
        None => Redelivery::Missing,
    })
}

pub(crate) async fn redeliveries(conn: &mut Conn, limit: u32) -> Result<Vec<StoredDelivery>> {
    let rows: Vec<(DeliveryRow, Vec<u8>)> = deliveries::table
        .filter(deliveries::status.eq(DeliveryStatus::Redelivering.name()))
        .order(deliveries::received_at)
        .limit(i64::from(limit))
        .select((DeliveryRow::as_select(), deliveries::payload))
        .load(conn)
        .await
        .during("look for redeliveries")?;
    let readable = rows.into_iter().filter_map(|row| {
        let id = row.0.id.clone();
        stored(row)
            .inspect_err(|error| {
                tracing::error!(delivery.id = id, "A delivery cannot be read: {error}")
            })
            .ok()
    });
    Ok(readable.collect())
}

/// Takes a delivery that waits to be taken again; false where another has taken it.
pub(crate) async fn take_redelivery(
    conn: &mut Conn,
    id: &str,
    skip_reason: Option<&str>,
    run: Option<RunId>,
) -> Result<bool> {
    let taken = diesel::update(deliveries::table.find(id))
        .filter(deliveries::status.eq(DeliveryStatus::Redelivering.name()))
        .set((
            deliveries::status.eq(delivery_status(run).name()),
            deliveries::reason.eq(skip_reason),
            deliveries::run_id.eq(run.map(Key::from)),
        ))
        .execute(conn)
        .await
        .during("take a redelivery")?;
    Ok(taken > 0)
}
