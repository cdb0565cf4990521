//! `GET /runs`

use actix_web::{HttpResponse, web::Data};
use domain::{run::RunStatus, workflow::Workflow};
use serde::Deserialize;
use store::runs::RunFilter;
use utoipa::IntoParams;
use web::Page;

use super::view::RunView;
use crate::{
    answer,
    app::App,
    auth::Reader,
    cursor::Ids,
    error::ApiError,
    names::{RunStatusName, WorkflowName},
    request::{Parameters, page},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListRuns {
    #[param(value_type = Option<RunStatusName>, inline)]
    status: Option<RunStatus>,
    #[param(value_type = Option<WorkflowName>, inline)]
    workflow: Option<Workflow>,
    /// As it was given when the run was started.
    repository: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Runs on a page; default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Runs, the newest first.
#[utoipa::path(
    get, path = "/runs", operation_id = "listRuns", tag = "runs",
    params(ListRuns),
    responses((status = 200, description = "A page of runs.", body = Page<RunView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn list(
    _caller: Reader,
    app: Data<App>,
    Parameters(query): Parameters<ListRuns>,
) -> Result<HttpResponse, ApiError> {
    let page = page(query.cursor.as_deref(), query.limit, Ids::Uuids)?;
    let filter =
        RunFilter { status: query.status, workflow: query.workflow, repository: query.repository };
    Ok(answer::page::<_, RunView>(app.store.list_runs(filter, page).await?))
}
