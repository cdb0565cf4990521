//! `PUT /schedules/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::ids::ScheduleId;

use super::{body::ScheduleBody, view::ScheduleView, written::overwrite};
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    request::{Body, Id},
};

/// Replaces a schedule.
#[utoipa::path(
    put, path = "/schedules/{id}", operation_id = "replaceSchedule", tag = "schedules",
    params(("id" = Uuid, Path)),
    request_body = ScheduleBody,
    responses(
        (status = 200, description = "The schedule as it is now.", body = ScheduleView),
        (status = 409, description = "Another schedule has this name."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn replace(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<ScheduleId>,
    Body(body): Body<ScheduleBody>,
) -> Result<HttpResponse, ApiError> {
    let new = body.checked(app.settings.allow_local_repositories)?;
    Ok(answer::ok(&ScheduleView::from(overwrite(&app, id, new).await?)))
}
