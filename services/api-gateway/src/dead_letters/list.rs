//! `GET /dlq`

use actix_web::{HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    ids::{RunId, TaskId},
    role::Role,
    settlement::DeadLetterReason,
};
use serde::{Deserialize, Serialize};
use store::tasks::DeadLetter;
use utoipa::{IntoParams, ToSchema};
use web::Page;

use crate::{
    answer,
    app::App,
    auth::Reader,
    cursor::Ids,
    error::ApiError,
    names::{DeadLetterReasonName, RoleName},
    request::{Parameters, page},
    tasks::FailureView,
};

/// A task that failed for good, and that nobody has replayed or dismissed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterView {
    #[schema(value_type = Uuid)]
    task_id: TaskId,
    #[schema(value_type = Uuid)]
    run_id: RunId,
    #[schema(value_type = RoleName)]
    role: Role,
    #[schema(value_type = DeadLetterReasonName)]
    reason: DeadLetterReason,
    error: FailureView,
    attempts: i32,
    at: DateTime<Utc>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { task_id, run_id, role, reason, error, attempts, at } = letter;
        Self { task_id, run_id, role, reason, error: error.into(), attempts, at }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListDeadLetters {
    #[param(value_type = Option<RoleName>, inline)]
    role: Option<Role>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Dead letters on a page; default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Dead letters, the newest first.
#[utoipa::path(
    get, path = "/dlq", operation_id = "listDeadLetters", tag = "dead letters",
    params(ListDeadLetters),
    responses((status = 200, description = "A page of dead letters.", body = Page<DeadLetterView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn list(
    _caller: Reader,
    app: Data<App>,
    Parameters(query): Parameters<ListDeadLetters>,
) -> Result<HttpResponse, ApiError> {
    let page = page(query.cursor.as_deref(), query.limit, Ids::Uuids)?;
    Ok(answer::page::<_, DeadLetterView>(app.store.list_dead_letters(query.role, page).await?))
}
