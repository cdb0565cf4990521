//! `POST /runs`

use actix_web::{HttpResponse, web::Data};
use domain::{
    ids::RunId,
    limits::MAX_ROUNDS,
    role::Role,
    run::{Budget, NewRun},
    task::NewTask,
    trigger::Source,
    workflow::Workflow,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::runs::Creation;
use utoipa::ToSchema;

use super::view::RunView;
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    faults::{Faults, REF_CHARS},
    names::WorkflowName,
    object::Object,
    repository,
    request::{IdempotencyKey, RawBody},
    whole::Whole,
};

/// Tokens of a budget, at most: what no run could ever use.
const BUDGET_TOKENS: i64 = 1_000_000_000_000;
/// Minutes of a budget, at most: a year.
const BUDGET_MINUTES: i64 = 527_040;

/// A run to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewRun)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRunBody {
    /// Its id, where the client chooses it; a taken one is refused.
    #[schema(value_type = Option<Uuid>)]
    id: Option<RunId>,
    /// Where the work is: `owner/name`, an http or https URL without credentials, or, where the operator allows it, a path of
    /// the server. The workflow `grow` needs one.
    #[schema(max_length = 2_048)]
    repository: Option<String>,
    /// Where to begin; default the repository's default branch.
    #[schema(min_length = 1, max_length = 255)]
    base_ref: Option<String>,
    /// What the run is for.
    #[schema(min_length = 1, max_length = 65_536)]
    goal: String,
    /// Default `grow`.
    #[schema(value_type = Option<WorkflowName>)]
    workflow: Option<Workflow>,
    #[schema(value_type = Option<BudgetBody>)]
    budget: Option<Object<BudgetBody>>,
    /// 0 first, 9 last; default 5.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9)]
    priority: Option<Whole>,
    /// Whatever the client wants to find again, at most 262,144 bytes as JSON.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// What a run may use; what is left out has no bound.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[schema(as = NewBudget)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BudgetBody {
    /// Tokens in and out, together.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000i64)]
    max_tokens: Option<Whole>,
    /// Minutes from its first attempt to its end.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 527_040)]
    max_minutes: Option<Whole>,
    /// Implement and review rounds.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 3)]
    max_rounds: Option<Whole>,
}

/// Starts a run.
#[utoipa::path(
    post, path = "/runs", operation_id = "createRun", tag = "runs",
    request_body = NewRunBody,
    responses(
        (status = 201, description = "Started.", body = RunView),
        (status = 409, description = "Its id is taken."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn create(
    caller: Writer,
    app: Data<App>,
    key: IdempotencyKey,
    body: RawBody<NewRunBody>,
) -> Result<HttpResponse, ApiError> {
    let run = new_run(body.value, body.bytes.len(), app.settings.allow_local_repositories)?;
    let guard = key.guard(&caller.0, &body.bytes);
    let made = app.create(Creation { guard, runs: vec![run], tasks: Vec::new() }).await?;
    let replayed = made.replayed;
    let run = RunView::from(made.run()?);
    Ok(answer::created(&format!("/runs/{}", run.id), replayed, &run))
}

pub(crate) fn new_run(
    body: NewRunBody,
    body_bytes: usize,
    allow_local: bool,
) -> Result<NewRun, ApiError> {
    let mut faults = Faults::new(body_bytes);
    let workflow = body.workflow.unwrap_or(Workflow::Grow);
    faults.description("goal", &body.goal);
    repository::check(&mut faults, body.repository.as_deref(), allow_local);
    if body.repository.is_none() && workflow.needs_repository() {
        faults.add("repository", format!("the workflow `{workflow}` needs one"));
    }
    if let Some(base_ref) = &body.base_ref {
        faults.text("baseRef", base_ref, REF_CHARS);
    }
    let budget = body.budget.map(|Object(budget)| budget).unwrap_or_default().checked(&mut faults);
    let priority = faults.priority(body.priority);
    let metadata = faults.object("metadata", body.metadata);
    faults.check()?;

    let mut task = NewTask::new(Role::Architect, workflow.first_kind(), body.goal.clone());
    task.priority = priority;
    Ok(NewRun {
        id: body.id.unwrap_or_else(RunId::new),
        workflow,
        goal: body.goal,
        repository: body.repository,
        base_ref: body.base_ref,
        source: Source::Api,
        budget,
        priority,
        metadata,
        tasks: vec![task],
    })
}

impl BudgetBody {
    fn checked(self, faults: &mut Faults) -> Budget {
        let mut bound = |field: &str, given: Option<Whole>, most: i64| {
            let Whole(given) = given?;
            faults.number(field, given, 1, most);
            Some(given)
        };
        let max_tokens = bound("budget.maxTokens", self.max_tokens, BUDGET_TOKENS);
        let max_minutes = bound("budget.maxMinutes", self.max_minutes, BUDGET_MINUTES);
        let max_rounds = bound("budget.maxRounds", self.max_rounds, MAX_ROUNDS.into());
        Budget {
            max_tokens,
            max_minutes,
            max_rounds: max_rounds.and_then(|rounds| i32::try_from(rounds).ok()),
        }
    }
}
