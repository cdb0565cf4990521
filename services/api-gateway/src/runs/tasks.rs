//! `GET /runs/{id}/tasks`

use actix_web::{HttpResponse, web::Data};
use domain::ids::RunId;

use super::change::existing;
use crate::{
    answer::{self, List},
    app::App,
    auth::Reader,
    error::ApiError,
    request::Id,
    tasks::TaskView,
};

/// Every task of a run, in the order of their making.
#[utoipa::path(
    get, path = "/runs/{id}/tasks", operation_id = "listTasksOfRun", tag = "runs",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "Its tasks.", body = List<TaskView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn tasks(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let tasks = app.store.tasks_of_run(id).await?;
    if tasks.is_empty() {
        existing(&app, id).await?;
    }
    Ok(answer::list::<_, TaskView>(tasks))
}
