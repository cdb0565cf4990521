//! `POST /tasks/{id}/cancel`

use actix_web::{HttpResponse, web::Data};
use domain::ids::TaskId;

use super::{change::changed, view::TaskView};
use crate::{answer, app::App, auth::Writer, error::ApiError, metrics, request::Id};

/// Cancels a task that has not ended, and those that depend on it.
#[utoipa::path(
    post, path = "/tasks/{id}/cancel", operation_id = "cancelTask", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The task as it is now.", body = TaskView),
        (status = 409, description = "It has ended."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn cancel(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    let rule = "only a task that has not ended can be cancelled";
    let task = changed(&app, id, app.store.cancel_task(id).await?, rule)?;
    metrics::cancelled(task.role);
    Ok(answer::ok(&TaskView::from(task)))
}
