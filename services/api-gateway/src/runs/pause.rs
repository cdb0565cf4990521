//! `POST /runs/{id}/pause`

use actix_web::{HttpResponse, web::Data};
use domain::ids::RunId;

use super::{change::changed, view::RunView};
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Keeps back what has not begun; running attempts go on to their end.
#[utoipa::path(
    post, path = "/runs/{id}/pause", operation_id = "pauseRun", tag = "runs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The run as it is now.", body = RunView),
        (status = 409, description = "It has ended, or is paused."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn pause(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let run =
        changed(&app, id, app.store.pause_run(id).await?, "only a run that goes on can be paused")?;
    Ok(answer::ok(&RunView::from(run)))
}
