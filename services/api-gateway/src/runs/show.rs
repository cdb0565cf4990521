//! `GET /runs/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::ids::RunId;

use super::{change::existing, view::RunView};
use crate::{answer, app::App, auth::Reader, error::ApiError, request::Id};

/// One run.
#[utoipa::path(
    get, path = "/runs/{id}", operation_id = "getRun", tag = "runs",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The run.", body = RunView)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn show(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    Ok(answer::ok(&RunView::from(existing(&app, id).await?)))
}
