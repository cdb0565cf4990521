//! `DELETE /schedules/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::ids::ScheduleId;

use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Deletes a schedule; the runs that it started stay.
#[utoipa::path(
    delete, path = "/schedules/{id}", operation_id = "deleteSchedule", tag = "schedules",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is deleted.")),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn delete(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<ScheduleId>,
) -> Result<HttpResponse, ApiError> {
    if app.store.delete_schedule(id).await? {
        Ok(answer::no_content())
    } else {
        Err(ApiError::ScheduleNotFound(id))
    }
}
