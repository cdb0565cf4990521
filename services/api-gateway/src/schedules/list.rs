//! `GET /schedules`

use actix_web::{HttpResponse, web::Data};

use super::view::ScheduleView;
use crate::{
    answer::{self, List},
    app::App,
    auth::Reader,
    error::ApiError,
};

/// Every schedule, by name.
#[utoipa::path(
    get, path = "/schedules", operation_id = "listSchedules", tag = "schedules",
    responses((status = 200, description = "The schedules.", body = List<ScheduleView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn list(_caller: Reader, app: Data<App>) -> Result<HttpResponse, ApiError> {
    Ok(answer::list::<_, ScheduleView>(app.store.list_schedules().await?))
}
