//! `GET /dlq/size`

use actix_web::{HttpResponse, web::Data};
use domain::role::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer, app::App, auth::Reader, error::ApiError, names::RoleName, request::Parameters,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountDeadLetters {
    #[param(value_type = Option<RoleName>, inline)]
    role: Option<Role>,
}

/// How many dead letters there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterCount {
    #[schema(minimum = 0)]
    size: i64,
}

/// How many dead letters there are.
#[utoipa::path(
    get, path = "/dlq/size", operation_id = "countDeadLetters", tag = "dead letters",
    params(CountDeadLetters),
    responses((status = 200, description = "Their number.", body = DeadLetterCount)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn size(
    _caller: Reader,
    app: Data<App>,
    Parameters(query): Parameters<CountDeadLetters>,
) -> Result<HttpResponse, ApiError> {
    Ok(answer::ok(&DeadLetterCount { size: app.store.count_dead_letters(query.role).await? }))
}
