//! `POST /tasks/{id}/retry`

use actix_web::{HttpResponse, web::Data};
use domain::ids::TaskId;

use super::{change::changed, view::TaskView};
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Queues a failed or cancelled task again, with its attempts counted from zero, or ends the backoff of a retrying one.
#[utoipa::path(
    post, path = "/tasks/{id}/retry", operation_id = "retryTask", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The task as it is now.", body = TaskView),
        (status = 409, description = "It neither failed, nor was cancelled, nor waits for another attempt."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn retry(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    let rule = "only a failed, cancelled or retrying task can be retried";
    let task = changed(&app, id, app.store.retry_task(id).await?, rule)?;
    Ok(answer::ok(&TaskView::from(task)))
}
