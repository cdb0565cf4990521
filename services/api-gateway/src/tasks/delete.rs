//! `DELETE /tasks/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::ids::TaskId;

use super::change::changed;
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Deletes a task; one that has not ended is cancelled first. The history of its run keeps what happened to it.
#[utoipa::path(
    delete, path = "/tasks/{id}", operation_id = "deleteTask", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 409, description = "It cannot be deleted now."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn delete(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    changed(&app, id, app.store.delete_task(id).await?, "it cannot be deleted now")?;
    Ok(answer::no_content())
}
