//! `GET /schedules/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::ids::ScheduleId;

use super::{view::ScheduleView, written::existing};
use crate::{answer, app::App, auth::Reader, error::ApiError, request::Id};

/// One schedule.
#[utoipa::path(
    get, path = "/schedules/{id}", operation_id = "getSchedule", tag = "schedules",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The schedule.", body = ScheduleView)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn show(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<ScheduleId>,
) -> Result<HttpResponse, ApiError> {
    Ok(answer::ok(&ScheduleView::from(existing(&app, id).await?)))
}
