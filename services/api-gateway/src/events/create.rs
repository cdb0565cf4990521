//! `POST /events`

use actix_web::{HttpResponse, web::Data};
use domain::{
    ids::RunId,
    limits::DESCRIPTION_CHARS,
    run::NewRun,
    trigger::{EventKind, Trigger, Work},
};
use serde::{Deserialize, Serialize};
use store::runs::Creation;
use utoipa::ToSchema;

use super::triggers::trigger;
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    faults::{Faults, REF_CHARS},
    names::EventKindName,
    repository,
    request::{IdempotencyKey, RawBody},
};

/// Characters of a title.
const TITLE_CHARS: usize = 1_024;
/// Characters of an address.
const URL_CHARS: usize = 2_048;
/// Characters of an action and of a label, and labels.
const WORD_CHARS: usize = 255;
const LABELS: usize = 100;

/// Something that happened, told by a CI job.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Event)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventBody {
    #[schema(value_type = EventKindName)]
    pub(super) kind: EventKind,
    /// `owner/name` or a URL. An issue that is labelled `ai-task` or `auto-task` needs one.
    #[schema(max_length = 2_048)]
    pub(super) repository: Option<String>,
    /// The branch, tag or commit that it is about.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) r#ref: Option<String>,
    #[schema(min_length = 1, max_length = 1_024)]
    pub(super) title: Option<String>,
    /// Text for the agent, as data; cut after 32,768 characters.
    #[schema(max_length = 65_536)]
    pub(super) body: Option<String>,
    /// Where people look at it.
    #[schema(min_length = 1, max_length = 2_048)]
    pub(super) url: Option<String>,
    /// Of an issue: `opened` (the default), `reopened`, `labeled`, `closed`, or another.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) action: Option<String>,
    /// Of an issue.
    #[schema(max_items = 100)]
    pub(super) labels: Option<Vec<String>>,
    /// Of checks: where they are, or how they ended.
    pub(super) status: Option<Outcome>,
    /// Of checks: how they ended; weighs more than `status`.
    pub(super) conclusion: Option<Outcome>,
}

/// Where checks are, or how they ended, in GitHub's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = CheckOutcome)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Queued,
    Pending,
    InProgress,
    Completed,
    Success,
    Failure,
    Error,
    Cancelled,
    Skipped,
    Neutral,
    TimedOut,
    ActionRequired,
    StartupFailure,
    Stale,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAnswer {
    status: EventStatus,
    /// The run that it started.
    #[schema(value_type = Option<Uuid>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    /// Why it started none.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether an event started a run.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventStatus {
    Accepted,
    Skipped,
}

/// Takes an event, and starts the run that answers it, if one does.
#[utoipa::path(
    post, path = "/events", operation_id = "sendEvent", tag = "events",
    request_body = EventBody,
    responses((status = 202, description = "Taken. `Location` is the run that it started, if it did.", body = EventAnswer)),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn send(
    caller: Writer,
    app: Data<App>,
    key: IdempotencyKey,
    body: RawBody<EventBody>,
) -> Result<HttpResponse, ApiError> {
    check(&body.value, app.settings.allow_local_repositories)?;
    let trigger = trigger(body.value);
    let reason = trigger.as_ref().err().copied();
    let runs: Vec<NewRun> = trigger.ok().map(run).transpose()?.into_iter().collect();
    if runs.is_empty() && !key.is_given() {
        return Ok(skipped(false, reason));
    }
    let guard = key.guard(&caller.0, &body.bytes);
    let made = app.create(Creation { guard, runs, tasks: Vec::new() }).await?;
    let replayed = made.replayed;
    if reason.is_some() {
        return Ok(skipped(replayed, reason));
    }
    Ok(accepted(replayed, made.run()?.id))
}

fn accepted(replayed: bool, run: RunId) -> HttpResponse {
    let answer = EventAnswer { status: EventStatus::Accepted, run_id: Some(run), reason: None };
    answer::accepted(Some(&format!("/runs/{run}")), replayed, &answer)
}

fn skipped(replayed: bool, reason: Option<&str>) -> HttpResponse {
    let answer = EventAnswer {
        status: EventStatus::Skipped,
        run_id: None,
        reason: reason.map(str::to_owned),
    };
    answer::accepted(None, replayed, &answer)
}

fn run(trigger: Trigger) -> Result<NewRun, ApiError> {
    if trigger.work == Work::Grow && trigger.repository.is_none() {
        let mut faults = Faults::new(0);
        faults.add("repository", "an issue that is a task for the team needs one");
        faults.check()?;
    }
    Ok(trigger.into_run())
}

pub(crate) fn check(event: &EventBody, allow_local: bool) -> Result<(), ApiError> {
    let mut faults = Faults::new(0);
    repository::check(&mut faults, event.repository.as_deref(), allow_local);
    let texts = [
        ("ref", &event.r#ref, REF_CHARS),
        ("title", &event.title, TITLE_CHARS),
        ("url", &event.url, URL_CHARS),
        ("action", &event.action, WORD_CHARS),
    ];
    for (field, text, most) in texts {
        if let Some(text) = text {
            faults.text(field, text, most);
        }
    }
    if event.body.as_ref().is_some_and(|body| body.chars().count() > DESCRIPTION_CHARS) {
        faults.add("body", format!("it has more than {DESCRIPTION_CHARS} characters"));
    }
    let labels = event.labels.as_deref().unwrap_or_default();
    if labels.len() > LABELS || labels.iter().any(|label| label.chars().count() > WORD_CHARS) {
        faults.add("labels", format!("use up to {LABELS}, of up to {WORD_CHARS} characters"));
    }
    faults.check()
}
