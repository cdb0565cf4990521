//! `PATCH /tasks/{id}`

use actix_web::{HttpResponse, web::Data};
use domain::{ids::TaskId, role::Role};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::tasks::TaskPatch;
use utoipa::ToSchema;

use super::{change::changed, view::TaskView};
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    faults::Faults,
    names::RoleName,
    request::{Id, RawBody},
    whole::Whole,
};

/// Changes to a task. What is left out, or null, stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TaskPatch)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TaskPatchBody {
    #[schema(min_length = 1, max_length = 65_536)]
    description: Option<String>,
    /// Input beside the description, at most 262,144 bytes as JSON; replaces the whole.
    #[schema(value_type = Option<Object>)]
    payload: Option<Map<String, Value>>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9)]
    priority: Option<Whole>,
    #[schema(value_type = Option<RoleName>)]
    role: Option<Role>,
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100)]
    max_attempts: Option<Whole>,
}

/// Changes a task that neither runs nor has ended.
#[utoipa::path(
    patch, path = "/tasks/{id}", operation_id = "updateTask", tag = "tasks",
    params(("id" = Uuid, Path)),
    request_body = TaskPatchBody,
    responses(
        (status = 200, description = "The task as it is now.", body = TaskView),
        (status = 409, description = "It runs, or has ended."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn update(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<TaskId>,
    body: RawBody<TaskPatchBody>,
) -> Result<HttpResponse, ApiError> {
    let patch = patch(body.value, body.bytes.len())?;
    let rule = "only a task that neither runs nor has ended can be changed";
    let task = changed(&app, id, app.store.update_task(id, patch).await?, rule)?;
    Ok(answer::ok(&TaskView::from(task)))
}

pub(crate) fn patch(body: TaskPatchBody, body_bytes: usize) -> Result<TaskPatch, ApiError> {
    let mut faults = Faults::new(body_bytes);
    if let Some(description) = &body.description {
        faults.description("description", description);
    }
    let patch = TaskPatch {
        payload: body.payload.map(|payload| faults.object("payload", Some(payload))),
        priority: body.priority.map(|priority| faults.priority(Some(priority))),
        description: body.description,
        role: body.role,
        max_attempts: faults.attempts(body.max_attempts),
    };
    faults.check()?;
    Ok(patch)
}
