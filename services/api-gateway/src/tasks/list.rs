//! `GET /tasks`

use actix_web::{HttpResponse, web::Data};
use domain::{ids::RunId, role::Role, task::TaskStatus};
use serde::Deserialize;
use store::tasks::TaskFilter;
use utoipa::IntoParams;
use web::{Page, Problem};

use super::view::TaskView;
use crate::{
    answer,
    app::App,
    auth::Reader,
    cursor::Ids,
    error::ApiError,
    names::{RoleName, TaskStatusName},
    request::{Parameters, page, refused_parameter},
};

/// Characters of a text to search for.
const SEARCH_CHARS: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListTasks {
    #[param(value_type = Option<TaskStatusName>, inline)]
    status: Option<TaskStatus>,
    #[param(value_type = Option<RoleName>, inline)]
    role: Option<Role>,
    #[param(value_type = Option<Uuid>)]
    run_id: Option<RunId>,
    /// Part of the description, in any case.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Tasks on a page; default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Tasks, the newest first.
#[utoipa::path(
    get, path = "/tasks", operation_id = "listTasks", tag = "tasks",
    params(ListTasks),
    responses((status = 200, description = "A page of tasks.", body = Page<TaskView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn list(
    _caller: Reader,
    app: Data<App>,
    Parameters(query): Parameters<ListTasks>,
) -> Result<HttpResponse, ApiError> {
    let page = page(query.cursor.as_deref(), query.limit, Ids::Uuids)?;
    let text = query.q.map(checked).transpose()?.filter(|text| !text.is_empty());
    let filter = TaskFilter { status: query.status, role: query.role, run_id: query.run_id, text };
    Ok(answer::page::<_, TaskView>(app.store.list_tasks(filter, page).await?))
}

fn checked(text: String) -> Result<String, Problem> {
    if text.chars().count() <= SEARCH_CHARS {
        return Ok(text);
    }
    Err(refused_parameter("q", format!("it has more than {SEARCH_CHARS} characters")))
}
