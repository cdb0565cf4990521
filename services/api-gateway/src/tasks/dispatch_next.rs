//! `POST /tasks/dispatch`

use actix_web::{HttpResponse, web::Data};
use domain::{ids::TaskId, limits::PAGE_ROWS_DEFAULT, role::Role};
use serde::{Deserialize, Serialize};
use store::tasks::Changed;
use utoipa::ToSchema;

use crate::{
    answer, app::App, auth::Writer, error::ApiError, faults::Faults, metrics, names::RoleName,
    request::MaybeBody, whole::Whole,
};

/// Tasks that one request queues, at most.
const TASKS: u32 = 1_000;

/// Which pending tasks to queue.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Dispatch)]
#[serde(deny_unknown_fields)]
pub(crate) struct DispatchBody {
    /// Only tasks of this role.
    #[schema(value_type = Option<RoleName>)]
    role: Option<Role>,
    /// How many, the oldest first; default 50.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000)]
    limit: Option<Whole>,
}

/// The tasks that were queued.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dispatched {
    count: usize,
    #[schema(value_type = Vec<Uuid>)]
    task_ids: Vec<TaskId>,
}

/// Queues the oldest pending tasks that nothing but a dispatch holds back.
#[utoipa::path(
    post, path = "/tasks/dispatch", operation_id = "dispatchTasks", tag = "tasks",
    request_body = Option<DispatchBody>,
    responses((status = 200, description = "What was queued.", body = Dispatched)),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn dispatch_next(
    _caller: Writer,
    app: Data<App>,
    MaybeBody(body): MaybeBody<DispatchBody>,
) -> Result<HttpResponse, ApiError> {
    let body = body.unwrap_or_default();
    let mut faults = Faults::new(0);
    let limit = faults.count("limit", body.limit, PAGE_ROWS_DEFAULT, TASKS);
    faults.check()?;
    let task_ids = match app.store.dispatch_next_tasks(body.role, limit).await? {
        Changed::Done { now, announce } => {
            announce.iter().for_each(|it| metrics::dispatched(it.message.role));
            app.announce(announce);
            now
        }
        Changed::Missing | Changed::NotNow(_) => Vec::new(),
    };
    Ok(answer::ok(&Dispatched { count: task_ids.len(), task_ids }))
}
