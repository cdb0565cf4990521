//! Schedules.

use domain::{
    ids::{RunId, ScheduleId},
    schedule::{NewSchedule, Schedule},
};

use crate::operations::operations;

/// What became of writing a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleWritten {
    Done(Box<Schedule>),
    Missing,
    /// Another schedule has this name.
    NameTaken,
}

/// A slot that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    pub schedule_id: ScheduleId,
    pub name: String,
    pub run_id: RunId,
    pub slot: chrono::DateTime<chrono::Utc>,
}

/// What one look at the schedules did.
#[derive(Debug, Default)]
pub struct Firings {
    pub fired: Vec<Fired>,
    pub announce: Vec<domain::message::OutboxMessage>,
    /// Schedules whose stored cadence cannot be understood, now switched off; with the reason.
    pub broken: Vec<(ScheduleId, String)>,
}

operations! {
    write create_schedule(schedule: NewSchedule) -> ScheduleWritten = schedules::create;

    /// Makes the schedule of this name if there is none, or changes it to this one: the default schedule of the settings.
    write ensure_schedule(schedule: NewSchedule) -> ScheduleWritten = schedules::ensure;

    write update_schedule(id: ScheduleId, schedule: NewSchedule) -> ScheduleWritten = schedules::update;

    write delete_schedule(id: ScheduleId) -> bool = schedules::delete;

    read find_schedule(id: ScheduleId) -> Option<Schedule> = schedules::find;

    /// Every schedule, by name. There are few: they are written by people.
    read list_schedules() -> Vec<Schedule> = schedules::list;

    /// Starts the runs of up to `limit` schedules that are due. Any number of schedulers may call it at once: a slot fires
    /// once.
    write fire_due_schedules(limit: u32) -> Firings = schedules::fire_due;

    /// Starts the run of a schedule now, beside its slots. None where there is no such schedule.
    write trigger_schedule(id: ScheduleId) -> Option<Firings> = schedules::trigger;
}
