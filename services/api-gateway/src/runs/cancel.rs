//! `POST /runs/{id}/cancel`

use actix_web::{HttpResponse, web::Data};
use domain::ids::RunId;

use super::{change::changed, view::RunView};
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Cancels a run and its tasks that have not ended; workers stop what they run of it.
#[utoipa::path(
    post, path = "/runs/{id}/cancel", operation_id = "cancelRun", tag = "runs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The run as it is now.", body = RunView),
        (status = 409, description = "It has ended."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn cancel(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let run = changed(
        &app,
        id,
        app.store.cancel_run(id).await?,
        "only a run that has not ended can be cancelled",
    )?;
    Ok(answer::ok(&RunView::from(run)))
}
