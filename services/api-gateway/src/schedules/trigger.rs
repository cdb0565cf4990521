//! `POST /schedules/{id}/trigger`

use actix_web::{HttpResponse, web::Data};
use chrono::Utc;
use domain::{ids::ScheduleId, trigger::Source};
use store::runs::Creation;

use super::written::existing;
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    request::{Id, IdempotencyKey},
    runs::RunView,
};

/// Starts the run of a schedule now, beside its slots, also where it is not enabled.
#[utoipa::path(
    post, path = "/schedules/{id}/trigger", operation_id = "triggerSchedule", tag = "schedules",
    params(("id" = Uuid, Path)),
    responses((status = 201, description = "The run that it started.", body = RunView)),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn trigger(
    caller: Writer,
    app: Data<App>,
    Id(id): Id<ScheduleId>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let schedule = existing(&app, id).await?;
    let run = schedule.run(Source::Schedule { schedule_id: id, slot: Utc::now() });
    // The request has no body: its path says all.
    let guard = key.guard(&caller.0, &[]);
    let made = app.create(Creation { guard, runs: vec![run], tasks: Vec::new() }).await?;
    let replayed = made.replayed;
    let run = RunView::from(made.run()?);
    Ok(answer::created(&format!("/runs/{}", run.id), replayed, &run))
}
