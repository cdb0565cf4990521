//! `PATCH /schedules/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::{
    ids::ScheduleId,
    schedule::{CatchUp, NewSchedule, Schedule},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    body::{check, lacks_repository},
    view::{CadenceBody, ScheduleView, TargetBody},
    written::{existing, overwrite},
};
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    names::CatchUpName,
    object::Object,
    request::{Body, Id},
};

/// Changes to a schedule. What is left out, or null, stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SchedulePatch)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SchedulePatchBody {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(value_type = Option<CadenceBody>)]
    cadence: Option<Object<CadenceBody>>,
    #[schema(value_type = Option<CatchUpName>)]
    catch_up: Option<CatchUp>,
    #[schema(value_type = Option<TargetBody>)]
    target: Option<Object<TargetBody>>,
    #[schema(max_length = 2_048)]
    repository: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    base_ref: Option<String>,
    enabled: Option<bool>,
}

/// Changes parts of a schedule. Of two changes at the same time the later stays.
#[utoipa::path(
    patch, path = "/schedules/{id}", operation_id = "updateSchedule", tag = "schedules",
    params(("id" = Uuid, Path)),
    request_body = SchedulePatchBody,
    responses(
        (status = 200, description = "The schedule as it is now.", body = ScheduleView),
        (status = 409, description = "Another schedule has this name, or the workflow needs a repository that it does not have."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn update(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<ScheduleId>,
    Body(body): Body<SchedulePatchBody>,
) -> Result<HttpResponse, ApiError> {
    let new = body.applied(existing(&app, id).await?);
    check(&new, app.settings.allow_local_repositories)?;
    if let Some(workflow) = lacks_repository(&new) {
        return Err(ApiError::LacksRepository { id, workflow });
    }
    Ok(answer::ok(&ScheduleView::from(overwrite(&app, id, new).await?)))
}

impl SchedulePatchBody {
    fn applied(self, old: Schedule) -> NewSchedule {
        NewSchedule {
            name: self.name.unwrap_or(old.name),
            cadence: self.cadence.map_or(old.cadence, |Object(cadence)| cadence.into()),
            catch_up: self.catch_up.unwrap_or(old.catch_up),
            target: self.target.map_or(old.target, |Object(target)| target.into()),
            repository: self.repository.or(old.repository),
            base_ref: self.base_ref.or(old.base_ref),
            enabled: self.enabled.unwrap_or(old.enabled),
        }
    }
}
