//! What became of writing a schedule.

use domain::{
    ids::ScheduleId,
    schedule::{NewSchedule, Schedule},
};
use store::schedules::ScheduleWritten;

use crate::{app::App, error::ApiError};

/// The schedule as it is now, or why it could not be written; `name` is what it was to be called.
pub(super) fn written(
    outcome: ScheduleWritten,
    id: ScheduleId,
    name: String,
) -> Result<Schedule, ApiError> {
    match outcome {
        ScheduleWritten::Done(schedule) => Ok(*schedule),
        ScheduleWritten::Missing => Err(ApiError::ScheduleNotFound(id)),
        ScheduleWritten::NameTaken => Err(ApiError::NameTaken(name)),
    }
}

/// Changes a schedule to what `new` says.
pub(super) async fn overwrite(
    app: &App,
    id: ScheduleId,
    new: NewSchedule,
) -> Result<Schedule, ApiError> {
    let name = new.name.clone();
    written(app.store.update_schedule(id, new).await?, id, name)
}

/// The schedule, where it exists.
pub(super) async fn existing(app: &App, id: ScheduleId) -> Result<Schedule, ApiError> {
    app.store.find_schedule(id).await?.ok_or(ApiError::ScheduleNotFound(id))
}
