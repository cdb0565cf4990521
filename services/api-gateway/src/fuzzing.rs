//! What fuzz targets reach of this crate beside its HTTP edge: how it reads what clients send.

use std::fmt::Debug;

use domain::limits::JSON_DEPTH;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use web::{Problem, extract::parse_json};

use crate::{
    cursor::{self, Ids},
    dead_letters::ChoiceBody,
    error::ApiError,
    events::{self, EventBody},
    object::Object,
    runs::{self, NewRunBody},
    schedules::{ScheduleBody, SchedulePatchBody},
    tasks::{self, NewTaskBody, NewTasksBody, TaskPatchBody},
};

/// Reads a body of a request, with every check that needs no database: what was read, or what the client is told. None where
/// there is no such kind.
pub fn body(kind: &str, json: &[u8]) -> Option<Result<String, Problem>> {
    let bytes = json.len();
    Some(match kind {
        "task" => read(json, |_: NewTaskBody| Ok(())),
        "tasks" => read(json, |body: NewTasksBody| tasks::place(body, bytes, false).map(drop)),
        "task-patch" => read(json, |body: TaskPatchBody| tasks::patch(body, bytes).map(drop)),
        "run" => read(json, |body: NewRunBody| runs::new_run(body, bytes, false).map(drop)),
        "event" => read(json, |body: EventBody| events::check(&body, false)),
        "schedule" => read(json, |body: ScheduleBody| {
            let schedule = body.checked(false)?;
            schedule.cadence.validate().map_err(|_bad| ApiError::Bug("a cadence was not checked"))
        }),
        "schedule-patch" => read(json, |_: SchedulePatchBody| Ok(())),
        "dead-letters" => read(json, |_: ChoiceBody| Ok(())),
        "metadata" => read(json, |_: Map<String, Value>| Ok(())),
        _ => return None,
    })
}

fn read<T: DeserializeOwned + Debug + 'static>(
    json: &[u8],
    check: impl FnOnce(T) -> Result<(), ApiError>,
) -> Result<String, Problem> {
    let Object(body) = parse_json::<Object<T>>(json, JSON_DEPTH)?;
    let told = format!("{body:?}");
    check(body).map_err(|error| error.problem())?;
    Ok(told)
}

/// The cursor that names the same place as this one, in a list whose rows have UUIDs.
pub fn cursor_of_uuids(text: &str) -> Option<String> {
    cursor::decode(text, Ids::Uuids).ok().map(|position| cursor::encode(&position))
}

/// The id in a cursor of a list whose rows have texts.
pub fn id_in_cursor_of_texts(text: &str) -> Option<String> {
    cursor::decode(text, Ids::Texts).ok().map(|position| position.id)
}
