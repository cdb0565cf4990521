//! Schedules: written by people, fired by any scheduler, each slot once.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    ids::ScheduleId,
    schedule::{BadCadence, NewSchedule, Schedule},
    trigger::Source,
};
use serde_json::Value;

use super::{
    create,
    dialect::{self, Conn},
    rows::{json as to_json, named, typed},
    schema::schedules,
};
use crate::{
    Error, Result,
    error::During,
    key::Key,
    runs::{Created, Creation, Guard},
    schedules::{Fired, Firings, ScheduleWritten},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = schedules)]
struct ScheduleRow {
    id: Key,
    name: String,
    cadence: Value,
    catch_up: String,
    target: Value,
    repository: Option<String>,
    base_ref: Option<String>,
    enabled: bool,
    next_at: Option<DateTime<Utc>>,
    last_slot: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl ScheduleRow {
    fn into_schedule(self) -> Result<Schedule> {
        Ok(Schedule {
            id: self.id.into(),
            name: self.name,
            cadence: typed("schedules.cadence", self.cadence)?,
            catch_up: named("schedules.catch_up", &self.catch_up)?,
            target: typed("schedules.target", self.target)?,
            repository: self.repository,
            base_ref: self.base_ref,
            enabled: self.enabled,
            next_at: self.next_at,
            last_slot: self.last_slot,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn first_slot(schedule: &NewSchedule, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    if !schedule.enabled {
        return Ok(None);
    }
    schedule.cadence.next_after(now).map_err(bad_cadence)
}

/// Callers validate cadences; one that comes here is a bug of theirs.
fn bad_cadence(error: BadCadence) -> Error {
    Error::Corrupt { column: "schedules.cadence", what: error.to_string() }
}

pub(crate) async fn create(conn: &mut Conn, new: NewSchedule) -> Result<ScheduleWritten> {
    if id_of(conn, &new.name).await?.is_some() {
        return Ok(ScheduleWritten::NameTaken);
    }
    let now = dialect::now(conn).await?;
    let row = ScheduleRow {
        id: ScheduleId::new().into(),
        next_at: first_slot(&new, now)?,
        name: new.name,
        cadence: to_json(&new.cadence),
        catch_up: new.catch_up.name().to_owned(),
        target: to_json(&new.target),
        repository: new.repository,
        base_ref: new.base_ref,
        enabled: new.enabled,
        last_slot: None,
        created_at: now,
        updated_at: now,
    };
    let inserted = diesel::insert_into(schedules::table)
        .values(&row)
        .on_conflict_do_nothing()
        .execute(conn)
        .await;
    if inserted.during("insert a schedule")? == 0 {
        return Ok(ScheduleWritten::NameTaken);
    }
    Ok(ScheduleWritten::Done(Box::new(row.into_schedule()?)))
}

async fn id_of(conn: &mut Conn, name: &str) -> Result<Option<ScheduleId>> {
    let id: Option<Key> = schedules::table
        .filter(schedules::name.eq(name))
        .select(schedules::id)
        .first(conn)
        .await
        .optional()
        .during("find a schedule by name")?;
    Ok(id.map(Into::into))
}

pub(crate) async fn ensure(conn: &mut Conn, new: NewSchedule) -> Result<ScheduleWritten> {
    if let written @ ScheduleWritten::Done(_) = create(conn, new.clone()).await? {
        return Ok(written);
    }
    let Some(id) = id_of(conn, &new.name).await? else { return Ok(ScheduleWritten::Missing) };
    match find(conn, id).await? {
        // The same again, as at every start: its next slot stays where it is.
        Some(there) if same(&there, &new) => Ok(ScheduleWritten::Done(Box::new(there))),
        Some(_) => update(conn, id, new).await,
        None => Ok(ScheduleWritten::Missing),
    }
}

fn same(there: &Schedule, new: &NewSchedule) -> bool {
    there.cadence == new.cadence
        && there.catch_up == new.catch_up
        && there.target == new.target
        && there.repository == new.repository
        && there.base_ref == new.base_ref
        && there.enabled == new.enabled
}

pub(crate) async fn update(
    conn: &mut Conn,
    id: ScheduleId,
    new: NewSchedule,
) -> Result<ScheduleWritten> {
    let now = dialect::now(conn).await?;
    let Some(there) = find(conn, id).await? else { return Ok(ScheduleWritten::Missing) };
    let keep = there.enabled && new.enabled && there.cadence == new.cadence;
    let next_at = if keep { there.next_at } else { first_slot(&new, now)? };
    if id_of(conn, &new.name).await?.is_some_and(|other| other != id) {
        return Ok(ScheduleWritten::NameTaken);
    }
    let updated: Option<ScheduleRow> = diesel::update(schedules::table.find(Key::from(id)))
        .set((
            schedules::name.eq(&new.name),
            schedules::cadence.eq(to_json(&new.cadence)),
            schedules::catch_up.eq(new.catch_up.name()),
            schedules::target.eq(to_json(&new.target)),
            schedules::repository.eq(&new.repository),
            schedules::base_ref.eq(&new.base_ref),
            schedules::enabled.eq(new.enabled),
            schedules::next_at.eq(next_at),
            schedules::updated_at.eq(now),
        ))
        .returning(ScheduleRow::as_returning())
        .get_result(conn)
        .await
        .optional()
        .during("update a schedule")?;
    match updated {
        Some(row) => Ok(ScheduleWritten::Done(Box::new(row.into_schedule()?))),
        None => Ok(ScheduleWritten::Missing),
    }
}

pub(crate) async fn delete(conn: &mut Conn, id: ScheduleId) -> Result<bool> {
    let deleted = diesel::delete(schedules::table.find(Key::from(id)))
        .execute(conn)
        .await
        .during("delete a schedule")?;
    Ok(deleted > 0)
}

pub(crate) async fn find(conn: &mut Conn, id: ScheduleId) -> Result<Option<Schedule>> {
    let row: Option<ScheduleRow> = schedules::table
        .find(Key::from(id))
        .select(ScheduleRow::as_select())
        .first(conn)
        .await
        .optional()
        .during("find a schedule")?;
    row.map(ScheduleRow::into_schedule).transpose()
}

pub(crate) async fn list(conn: &mut Conn) -> Result<Vec<Schedule>> {
    let rows: Vec<ScheduleRow> = schedules::table
        .order(schedules::name)
        .select(ScheduleRow::as_select())
        .load(conn)
        .await
        .during("list schedules")?;
    rows.into_iter().map(ScheduleRow::into_schedule).collect()
}

pub(crate) async fn fire_due(conn: &mut Conn, limit: u32) -> Result<Firings> {
    let now = dialect::now(conn).await?;
    let due = locked_if_free!(
        schedules::table
            .filter(schedules::enabled.eq(true))
            .filter(schedules::next_at.le(now))
            .order(schedules::next_at)
            .limit(i64::from(limit))
            .select(ScheduleRow::as_select())
    );
    let rows: Vec<ScheduleRow> = due.load(conn).await.during("look for due schedules")?;
    let mut firings = Firings::default();
    for row in rows {
        let id = ScheduleId::from(row.id);
        let fired = match row.into_schedule() {
            Ok(schedule) => fire_slots(conn, &schedule, now, &mut firings).await,
            Err(error) => Err(error),
        };
        if let Err(Error::Corrupt { what, .. }) = fired {
            switch_off(conn, id, now).await?;
            firings.broken.push((id, what));
        } else {
            fired?;
        }
    }
    Ok(firings)
}

async fn fire_slots(
    conn: &mut Conn,
    schedule: &Schedule,
    now: DateTime<Utc>,
    firings: &mut Firings,
) -> Result<()> {
    let due = schedule.due(now).map_err(bad_cadence)?;
    for slot in &due.slots {
        fire(conn, schedule, *slot, firings).await?;
    }
    diesel::update(schedules::table.find(Key::from(schedule.id)))
        .set((
            schedules::next_at.eq(due.next_at),
            schedules::last_slot.eq(due.slots.last().copied().or(schedule.last_slot)),
        ))
        .execute(conn)
        .await
        .during("move a schedule on")
        .map(drop)
}

async fn fire(
    conn: &mut Conn,
    schedule: &Schedule,
    slot: DateTime<Utc>,
    firings: &mut Firings,
) -> Result<()> {
    let run = schedule.run(Source::Schedule { schedule_id: schedule.id, slot });
    let run_id = run.id;
    let creation = Creation {
        guard: Guard::Slot { schedule_id: schedule.id, slot },
        runs: vec![run],
        tasks: Vec::new(),
    };
    for created in create::create(conn, vec![creation]).await? {
        if let Created::New { announce, .. } = created {
            firings.announce.extend(announce);
            firings.fired.push(Fired {
                schedule_id: schedule.id,
                name: schedule.name.clone(),
                run_id,
                slot,
            });
        }
    }
    Ok(())
}

async fn switch_off(conn: &mut Conn, id: ScheduleId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(schedules::table.find(Key::from(id)))
        .set((schedules::enabled.eq(false), schedules::updated_at.eq(now)))
        .execute(conn)
        .await
        .during("switch off a schedule")
        .map(drop)
}

pub(crate) async fn trigger(conn: &mut Conn, id: ScheduleId) -> Result<Option<Firings>> {
    let Some(schedule) = find(conn, id).await? else { return Ok(None) };
    let now = dialect::now(conn).await?;
    let mut firings = Firings::default();
    fire(conn, &schedule, now, &mut firings).await?;
    Ok(Some(firings))
}
