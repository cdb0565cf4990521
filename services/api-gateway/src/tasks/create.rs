//! `POST /tasks`

use actix_web::{HttpResponse, web::Data};
use domain::run::NewRun;
use store::{
    runs::{Creation, Guard},
    tasks::AddedTask,
};

use super::{
    draft::{NewTaskBody, manual_run},
    view::TaskView,
};
use crate::{
    answer,
    app::App,
    auth::Writer,
    error::ApiError,
    faults::Faults,
    repository,
    request::{IdempotencyKey, RawBody},
};

/// Creates a task, in a run that exists or in one made for it.
#[utoipa::path(
    post, path = "/tasks", operation_id = "createTask", tag = "tasks",
    request_body = NewTaskBody,
    responses(
        (status = 201, description = "Created.", body = TaskView),
        (status = 409, description = "Its id is taken, or its run has ended."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn create(
    caller: Writer,
    app: Data<App>,
    key: IdempotencyKey,
    body: RawBody<NewTaskBody>,
) -> Result<HttpResponse, ApiError> {
    let (runs, tasks) = place(body.value, body.bytes.len(), app.settings.allow_local_repositories)?;
    let guard: Guard = key.guard(&caller.0, &body.bytes);
    let made = app.create(Creation { guard, runs, tasks }).await?;
    let replayed = made.replayed;
    let task = TaskView::from(made.task()?);
    Ok(answer::created(&format!("/tasks/{}", task.id), replayed, &task))
}

/// A run of its own for the task, or the task for the run that it names.
fn place(
    mut body: NewTaskBody,
    body_bytes: usize,
    allow_local: bool,
) -> Result<(Vec<NewRun>, Vec<AddedTask>), ApiError> {
    let mut faults = Faults::new(body_bytes);
    let task = body.task(&mut faults);
    repository::check(&mut faults, body.repository.as_deref(), allow_local);
    if let Some(goal) = &body.goal {
        faults.description("goal", goal);
    }
    let Some(run_id) = body.run_id else {
        faults.check()?;
        let goal = body.goal.unwrap_or_else(|| task.description.clone());
        return Ok((vec![manual_run(goal, body.repository, vec![task])], Vec::new()));
    };
    for (field, given) in [("goal", body.goal.is_some()), ("repository", body.repository.is_some())]
    {
        if given {
            faults.add(field, "it belongs to a new run, and `runId` names one that exists");
        }
    }
    faults.check()?;
    Ok((Vec::new(), vec![AddedTask { run_id, task }]))
}
