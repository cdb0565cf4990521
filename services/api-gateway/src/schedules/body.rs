//! A schedule as clients write it.

use domain::{
    schedule::{BadCadence, Cadence, CatchUp, NewSchedule, ScheduleTarget},
    workflow::Workflow,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{CadenceBody, TargetBody};
use crate::{
    error::ApiError,
    faults::{Faults, REF_CHARS},
    names::CatchUpName,
    object::Object,
    repository,
};

/// Characters of a schedule's name.
const NAME_CHARS: usize = 200;
/// Roles of one schedule; one may be there more than once.
const ROLES: usize = 32;
/// Characters of a cron expression, and of a time zone's name.
const CRON_CHARS: usize = 255;
const TIMEZONE_CHARS: usize = 64;

/// A schedule to be made, or what replaces one.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSchedule)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScheduleBody {
    /// No two schedules have the same.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(value_type = CadenceBody)]
    cadence: Object<CadenceBody>,
    /// Default `latest`.
    #[schema(value_type = Option<CatchUpName>)]
    catch_up: Option<CatchUp>,
    #[schema(value_type = TargetBody)]
    target: Object<TargetBody>,
    /// `owner/name` or a URL. The workflow `grow` needs one.
    #[schema(max_length = 2_048)]
    repository: Option<String>,
    /// Default the repository's default branch.
    #[schema(min_length = 1, max_length = 255)]
    base_ref: Option<String>,
    /// Default true.
    enabled: Option<bool>,
}

impl ScheduleBody {
    /// # Errors
    /// 422 with every field that is wrong.
    pub(crate) fn checked(self, allow_local: bool) -> Result<NewSchedule, ApiError> {
        let schedule = NewSchedule {
            name: self.name,
            cadence: self.cadence.0.into(),
            catch_up: self.catch_up.unwrap_or(CatchUp::Latest),
            target: self.target.0.into(),
            repository: self.repository,
            base_ref: self.base_ref,
            enabled: self.enabled.unwrap_or(true),
        };
        check(&schedule, allow_local)?;
        if let Some(workflow) = lacks_repository(&schedule) {
            let mut faults = Faults::new(0);
            faults.add("repository", format!("the workflow `{workflow}` needs one"));
            faults.check()?;
        }
        Ok(schedule)
    }
}

/// Everything that is wrong with a schedule by itself.
pub(super) fn check(schedule: &NewSchedule, allow_local: bool) -> Result<(), ApiError> {
    let mut faults = Faults::new(0);
    faults.text("name", &schedule.name, NAME_CHARS);
    check_cadence(&mut faults, &schedule.cadence);
    check_target(&mut faults, &schedule.target);
    repository::check(&mut faults, schedule.repository.as_deref(), allow_local);
    if let Some(base_ref) = &schedule.base_ref {
        faults.text("baseRef", base_ref, REF_CHARS);
    }
    faults.check()
}

/// The workflow that needs the repository which the schedule does not have.
pub(super) fn lacks_repository(schedule: &NewSchedule) -> Option<Workflow> {
    match &schedule.target {
        ScheduleTarget::Workflow { workflow, .. } => {
            Some(*workflow).filter(|it| it.needs_repository() && schedule.repository.is_none())
        }
        ScheduleTarget::Roles { .. } => None,
    }
}

fn check_cadence(faults: &mut Faults, cadence: &Cadence) {
    if let Cadence::Cron { expression, timezone } = cadence {
        faults.text("cadence.expression", expression, CRON_CHARS);
        faults.text("cadence.timezone", timezone, TIMEZONE_CHARS);
        let is_long = |text: &str, most| text.chars().count() > most;
        if is_long(expression, CRON_CHARS) || is_long(timezone, TIMEZONE_CHARS) {
            return;
        }
    }
    if let Err(error) = cadence.validate() {
        let field = match &error {
            BadCadence::TooOften(_) | BadCadence::TooSeldom(_) => "cadence.everyMs",
            BadCadence::UnknownTimezone(_) => "cadence.timezone",
            BadCadence::NotCron(..) | BadCadence::Never(_) => "cadence.expression",
        };
        faults.add(field, error.to_string());
    }
}

fn check_target(faults: &mut Faults, target: &ScheduleTarget) {
    match target {
        ScheduleTarget::Roles { roles, description } => {
            faults.description("target.description", description);
            if roles.is_empty() || roles.len() > ROLES {
                faults.add("target.roles", format!("use 1 to {ROLES} roles"));
            }
        }
        ScheduleTarget::Workflow { workflow: _, goal } => faults.description("target.goal", goal),
    }
}
