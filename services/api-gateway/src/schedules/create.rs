//! `POST /schedules`

use actix_web::{HttpResponse, web::Data};
use domain::ids::ScheduleId;

use super::{body::ScheduleBody, view::ScheduleView, written::written};
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Body};

/// Makes a schedule. Its name makes it happen once: a repetition is answered with 409.
#[utoipa::path(
    post, path = "/schedules", operation_id = "createSchedule", tag = "schedules",
    request_body = ScheduleBody,
    responses(
        (status = 201, description = "Made.", body = ScheduleView),
        (status = 409, description = "Another schedule has this name."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn create(
    _caller: Writer,
    app: Data<App>,
    Body(body): Body<ScheduleBody>,
) -> Result<HttpResponse, ApiError> {
    let new = body.checked(app.settings.allow_local_repositories)?;
    let name = new.name.clone();
    let outcome = app.store.create_schedule(new).await?;
    let schedule = ScheduleView::from(written(outcome, ScheduleId::new(), name)?);
    Ok(answer::created(&format!("/schedules/{}", schedule.id), false, &schedule))
}
