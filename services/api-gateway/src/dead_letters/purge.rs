//! `DELETE /dlq`

use actix_web::{HttpResponse, web::Data};
use domain::{ids::TaskId, role::Role};
use serde::Deserialize;
use store::tasks::{DeadLetterChoice, DeadLettersDone};
use utoipa::IntoParams;

use web::Problem;

use super::{LETTERS, LETTERS_DEFAULT, replay::DeadLettersChanged};
use crate::{
    answer,
    app::App,
    auth::Admin,
    error::ApiError,
    names::RoleName,
    request::{Parameters, refused_parameter},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PurgeDeadLetters {
    /// Only this task; `role` and `limit` mean nothing then.
    #[param(value_type = Option<Uuid>)]
    task_id: Option<TaskId>,
    #[param(value_type = Option<RoleName>, inline)]
    role: Option<Role>,
    /// How many, the oldest first; default 100.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

/// Dismisses dead letters: the tasks stay failed, and are listed here no more.
#[utoipa::path(
    delete, path = "/dlq", operation_id = "purgeDeadLetters", tag = "dead letters",
    params(PurgeDeadLetters),
    responses((status = 200, description = "What was dismissed.", body = DeadLettersChanged)),
    security(("apiKey" = ["admin"])),
)]
pub(crate) async fn purge(
    _caller: Admin,
    app: Data<App>,
    Parameters(query): Parameters<PurgeDeadLetters>,
) -> Result<HttpResponse, ApiError> {
    let DeadLettersDone { task_ids, announce } =
        app.store.purge_dead_letters(choice(query)?).await?;
    app.announce(announce);
    Ok(answer::ok(&DeadLettersChanged::of(task_ids)))
}

fn choice(query: PurgeDeadLetters) -> Result<DeadLetterChoice, Problem> {
    let limit = query.limit.unwrap_or(LETTERS_DEFAULT);
    if !(1..=LETTERS).contains(&limit) {
        return Err(refused_parameter("limit", format!("use 1 to {LETTERS}")));
    }
    Ok(match query.task_id {
        Some(task) => DeadLetterChoice::These(vec![task]),
        None => DeadLetterChoice::Oldest { role: query.role, limit },
    })
}
