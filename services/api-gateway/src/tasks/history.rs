//! `GET /tasks/{id}/history`

use actix_web::{HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    history::{Event, EventKind},
    ids::{RunId, TaskId},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    answer::{self, List},
    app::App,
    auth::Reader,
    error::ApiError,
    names::HistoryKindName,
    request::Id,
};

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryEvent)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    /// Grows with time; the `Last-Event-ID` of event streams.
    id: i64,
    at: DateTime<Utc>,
    #[schema(value_type = Uuid)]
    run_id: RunId,
    /// The task that it happened to, where it was not the run.
    #[schema(value_type = Option<Uuid>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    #[schema(value_type = HistoryKindName)]
    kind: EventKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<i32>,
    /// What the kind says more of.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<Event> for EventView {
    fn from(Event { id, at, run_id, task_id, kind, attempt, data }: Event) -> Self {
        Self { id, at, run_id, task_id, kind, attempt, data }
    }
}

/// Every event of a task, in order.
#[utoipa::path(
    get, path = "/tasks/{id}/history", operation_id = "getTaskHistory", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "Its history.", body = List<EventView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn history(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    let events = app.store.task_history(id).await?;
    // Every task has at least the event of its making.
    if events.is_empty() {
        return Err(ApiError::TaskNotFound(id));
    }
    Ok(answer::list::<_, EventView>(events))
}
