//! `POST /runs/{id}/resume`

use actix_web::{HttpResponse, web::Data};
use domain::ids::RunId;

use super::{change::changed, view::RunView};
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Lets a paused run go on.
#[utoipa::path(
    post, path = "/runs/{id}/resume", operation_id = "resumeRun", tag = "runs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The run as it is now.", body = RunView),
        (status = 409, description = "It is not paused."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn resume(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let run =
        changed(&app, id, app.store.resume_run(id).await?, "only a paused run can be resumed")?;
    Ok(answer::ok(&RunView::from(run)))
}
