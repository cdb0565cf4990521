//! `GET /tasks/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::ids::TaskId;

use super::view::TaskView;
use crate::{answer, app::App, auth::Reader, error::ApiError, request::Id};

/// One task.
#[utoipa::path(
    get, path = "/tasks/{id}", operation_id = "getTask", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The task.", body = TaskView)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn show(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    let task = app.store.find_task(id).await?.ok_or(ApiError::TaskNotFound(id))?;
    Ok(answer::ok(&TaskView::from(task)))
}
