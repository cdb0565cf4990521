//! `POST /dlq/replay`

use actix_web::{HttpResponse, web::Data};
use domain::{ids::TaskId, role::Role};
use serde::{Deserialize, Serialize};
use store::tasks::{DeadLetterChoice, DeadLettersDone};
use utoipa::ToSchema;

use super::{LETTERS, LETTERS_DEFAULT};
use crate::{
    answer, app::App, auth::Writer, error::ApiError, faults::Faults, names::RoleName,
    request::MaybeBody, whole::Whole,
};

/// Which dead letters: these, or the oldest of a role, or of all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DeadLetterChoice)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChoiceBody {
    /// These tasks; `role` and `limit` mean nothing then.
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 1_000)]
    task_ids: Option<Vec<TaskId>>,
    #[schema(value_type = Option<RoleName>)]
    role: Option<Role>,
    /// How many, the oldest first; default 100.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000)]
    limit: Option<Whole>,
}

/// The tasks that a request about dead letters changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLettersChanged {
    count: usize,
    #[schema(value_type = Vec<Uuid>)]
    task_ids: Vec<TaskId>,
}

impl DeadLettersChanged {
    pub(super) fn of(task_ids: Vec<TaskId>) -> Self {
        Self { count: task_ids.len(), task_ids }
    }
}

/// Queues dead letters again, with their attempts counted from zero. Their runs live again.
#[utoipa::path(
    post, path = "/dlq/replay", operation_id = "replayDeadLetters", tag = "dead letters",
    request_body = Option<ChoiceBody>,
    responses((status = 200, description = "What was queued; ids that are no dead letters are left out.", body = DeadLettersChanged)),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn replay(
    _caller: Writer,
    app: Data<App>,
    MaybeBody(body): MaybeBody<ChoiceBody>,
) -> Result<HttpResponse, ApiError> {
    let choice = choice(body.unwrap_or_default())?;
    let DeadLettersDone { task_ids, announce } = app.store.replay_dead_letters(choice).await?;
    app.announce(announce);
    Ok(answer::ok(&DeadLettersChanged::of(task_ids)))
}

fn choice(body: ChoiceBody) -> Result<DeadLetterChoice, ApiError> {
    let mut faults = Faults::new(0);
    let limit = faults.count("limit", body.limit, LETTERS_DEFAULT, LETTERS);
    if body.task_ids.as_ref().is_some_and(|ids| ids.len() > LETTERS as usize) {
        faults.add("taskIds", format!("it has more than {LETTERS} tasks"));
    }
    faults.check()?;
    Ok(match body.task_ids {
        Some(ids) => DeadLetterChoice::These(ids),
        None => DeadLetterChoice::Oldest { role: body.role, limit },
    })
}
