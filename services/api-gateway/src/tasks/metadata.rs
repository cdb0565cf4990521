//! `GET /tasks/{id}/metadata`, `PATCH /tasks/{id}/metadata`

use actix_web::{HttpResponse, web::Data};
use domain::ids::TaskId;
use serde_json::{Map, Value};

use super::change::{changed, existing};
use crate::{
    answer,
    app::App,
    auth::{Reader, Writer},
    error::ApiError,
    faults::Faults,
    request::{Id, RawBody},
};

/// What clients keep with a task.
#[utoipa::path(
    get, path = "/tasks/{id}/metadata", operation_id = "getTaskMetadata", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "Its metadata.", body = Object)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn metadata(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    Ok(answer::ok(&existing(&app, id).await?.metadata))
}

/// Changes metadata by a JSON merge patch (RFC 7396): null removes a member, an object is merged, all else replaces.
#[utoipa::path(
    patch, path = "/tasks/{id}/metadata", operation_id = "patchTaskMetadata", tag = "tasks",
    params(("id" = Uuid, Path)),
    request_body(content((Object = "application/merge-patch+json"), (Object = "application/json"))),
    responses((status = 200, description = "Its metadata as it is now.", body = Object)),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn patch_metadata(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<TaskId>,
    body: RawBody<Map<String, Value>>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::new(body.bytes.len());
    let patch = faults.object("metadata", Some(body.value));
    faults.check()?;
    let change = app.store.patch_task_metadata(id, patch).await?;
    Ok(answer::ok(&changed(&app, id, change, "its metadata cannot be changed now")?))
}
