//! `POST /tasks/{id}/dispatch`

use actix_web::{HttpResponse, web::Data};
use domain::{ids::TaskId, task::TaskStatus};

use super::{change::changed, view::TaskView};
use crate::{answer, app::App, auth::Writer, error::ApiError, metrics, request::Id};

/// Queues a pending task, as soon as its dependencies have completed.
#[utoipa::path(
    post, path = "/tasks/{id}/dispatch", operation_id = "dispatchTask", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The task as it is now.", body = TaskView),
        (status = 409, description = "It is not pending."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn dispatch(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    let rule = "only a pending task can be dispatched";
    let task = changed(&app, id, app.store.dispatch_task(id).await?, rule)?;
    if task.status == TaskStatus::Queued {
        metrics::dispatched(task.role);
    }
    Ok(answer::ok(&TaskView::from(task)))
}
