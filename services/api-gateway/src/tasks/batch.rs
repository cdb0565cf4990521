//! `POST /tasks/batch`

use std::collections::HashSet;

use actix_web::{HttpResponse, web::Data};
use domain::{
    ids::TaskId,
    limits::BATCH_TASKS,
    run::NewRun,
    task::{NewTask, Task},
};
use serde::{Deserialize, Serialize};
use store::{runs::Creation, tasks::AddedTask};
use utoipa::ToSchema;

use super::{
    draft::{BatchTaskBody, manual_run},
    view::TaskView,
};
use crate::{
    answer,
    app::App,
    auth::Writer,
    create::Made,
    error::ApiError,
    faults::Faults,
    object::Object,
    repository,
    request::{IdempotencyKey, RawBody},
    runs::RunView,
};

/// Tasks to be made together. Those without `runId` share one new run.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewTasks)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewTasksBody {
    #[schema(value_type = Vec<BatchTaskBody>, min_items = 1, max_items = 1_000)]
    tasks: Vec<Object<BatchTaskBody>>,
    /// For the new run: where its work is, as `owner/name` or a URL.
    #[schema(max_length = 2_048)]
    repository: Option<String>,
    /// For the new run: what it is for; default the description of its first task.
    #[schema(min_length = 1, max_length = 65_536)]
    goal: Option<String>,
}

/// What a batch made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedTasks {
    /// The ids of the tasks, in the order of the request.
    #[schema(value_type = Vec<Uuid>)]
    ids: Vec<TaskId>,
    /// The tasks, in the order of the request.
    tasks: Vec<TaskView>,
    /// The run that was made for them, if one was.
    runs: Vec<RunView>,
}

/// Creates up to 1,000 tasks, all or none.
#[utoipa::path(
    post, path = "/tasks/batch", operation_id = "createTasks", tag = "tasks",
    request_body = NewTasksBody,
    responses(
        (status = 201, description = "Created. `Location` is that of the first task.", body = CreatedTasks),
        (status = 409, description = "An id is taken, or a run has ended: nothing was created."),
    ),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn create_batch(
    caller: Writer,
    app: Data<App>,
    key: IdempotencyKey,
    body: RawBody<NewTasksBody>,
) -> Result<HttpResponse, ApiError> {
    let placed = place(body.value, body.bytes.len(), app.settings.allow_local_repositories)?;
    let guard = key.guard(&caller.0, &body.bytes);
    let made = app.create_alone(Creation { guard, runs: placed.runs, tasks: placed.added }).await?;
    let replayed = made.replayed;
    let created = in_order(made, &placed.joins);
    let location = created.ids.first().map(|id| format!("/tasks/{id}")).unwrap_or_default();
    Ok(answer::created(&location, replayed, &created))
}

pub(crate) struct Placed {
    runs: Vec<NewRun>,
    added: Vec<AddedTask>,
    /// For each task of the request, whether it joins a run that exists.
    joins: Vec<bool>,
}

pub(crate) fn place(
    body: NewTasksBody,
    body_bytes: usize,
    allow_local: bool,
) -> Result<Placed, ApiError> {
    let mut faults = Faults::new(body_bytes);
    check_count(&mut faults, body.tasks.len());
    let (mut own, mut added, mut joins) = (Vec::new(), Vec::new(), Vec::new());
    let mut ids = HashSet::new();
    for (index, Object(mut item)) in body.tasks.into_iter().enumerate().take(BATCH_TASKS) {
        faults.within("tasks", index);
        let task = item.task(&mut faults);
        if !ids.insert(task.id) {
            faults.add("id", "an earlier task of this request has it");
        }
        joins.push(item.run_id.is_some());
        match item.run_id {
            Some(run_id) => added.push(AddedTask { run_id, task }),
            None => own.push(task),
        }
    }
    faults.at_top();
    let runs = run_for(&mut faults, own, body.goal, body.repository, allow_local);
    faults.check()?;
    Ok(Placed { runs, added, joins })
}

fn check_count(faults: &mut Faults, count: usize) {
    if count == 0 {
        faults.add("tasks", "it is empty");
    } else if count > BATCH_TASKS {
        faults.add("tasks", format!("it has more than {BATCH_TASKS} tasks"));
    }
}

/// The run that tasks without one share.
fn run_for(
    faults: &mut Faults,
    tasks: Vec<NewTask>,
    goal: Option<String>,
    repository: Option<String>,
    allow_local: bool,
) -> Vec<NewRun> {
    repository::check(faults, repository.as_deref(), allow_local);
    if let Some(goal) = &goal {
        faults.description("goal", goal);
    }
    let Some(first) = tasks.first() else { return Vec::new() };
    let goal = goal.unwrap_or_else(|| first.description.clone());
    vec![manual_run(goal, repository, tasks)]
}

/// The store gives those of the new run first; a client wants them in the order of its request.
fn in_order(made: Made, joins: &[bool]) -> CreatedTasks {
    let new: HashSet<_> = made.set.runs.iter().map(|run| run.id).collect();
    let (own, joined): (Vec<Task>, Vec<Task>) =
        made.set.tasks.into_iter().partition(|task| new.contains(&task.run_id));
    let (mut own, mut joined) = (own.into_iter(), joined.into_iter());
    let ordered = joins.iter().filter_map(|joins| if *joins { joined.next() } else { own.next() });
    let tasks: Vec<TaskView> = ordered.map(TaskView::from).collect();
    CreatedTasks {
        ids: tasks.iter().map(|task| task.id).collect(),
        tasks,
        runs: made.set.runs.into_iter().map(RunView::from).collect(),
    }
}
