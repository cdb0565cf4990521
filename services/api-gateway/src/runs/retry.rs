//! `POST /runs/{id}/retry`

use actix_web::{HttpResponse, web::Data};
use domain::ids::RunId;

use super::{change::changed, view::RunView};
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Replays every failed task of a failed run.
#[utoipa::path(
    post, path = "/runs/{id}/retry", operation_id = "retryRun", tag = "runs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The run as it is now.", body = RunView),
        (status = 409, description = "It has not failed."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn retry(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let run =
        changed(&app, id, app.store.retry_run(id).await?, "only a failed run can be retried")?;
    Ok(answer::ok(&RunView::from(run)))
}
