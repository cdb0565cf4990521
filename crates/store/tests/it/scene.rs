//! The scene of most tests: a store, runs of tasks, and a worker.

use std::time::Duration;

use domain::{
    ids::{RunId, TaskId, WorkerId},
    retry::RetryPolicy,
    role::Role,
    run::{Budget, NewRun, RunStatus},
    settlement::{Outcome, Retry, RunProgress, Settlement, Spent},
    task::{ClaimedTask, Failure, FailureCode, NewTask, Priority, TaskKind, TaskStatus},
    trigger::Source,
    workflow::{Next, Workflow},
};
use serde_json::{Value, json};
use store::{
    Store,
    runs::{Created, Creation, Guard},
    tasks::{ClaimTerms, SettleReport, SettleRequest},
};

pub(crate) const POLICY: RetryPolicy = RetryPolicy {
    max_attempts: 2,
    base: Duration::from_millis(1),
    longest: Duration::from_millis(2),
    longest_wait: Duration::from_secs(60),
};

/// A worker that takes everything, with a lease of half a minute.
pub(crate) fn terms() -> ClaimTerms {
    ClaimTerms { worker: WorkerId::new(), lease: Duration::from_secs(30), max_attempts: 2 }
}

pub(crate) fn task(description: &str) -> NewTask {
    NewTask::new(Role::Implementer, TaskKind::Single, description)
}

pub(crate) fn run(tasks: Vec<NewTask>) -> NewRun {
    NewRun {
        id: RunId::new(),
        workflow: Workflow::Single,
        goal: "try it".to_owned(),
        repository: Some("o/r".to_owned()),
        base_ref: None,
        source: Source::Api,
        budget: Budget::default(),
        priority: Priority::default(),
        metadata: json!({}),
        tasks,
    }
}

pub(crate) fn creation(guard: Guard, run: NewRun) -> Creation {
    Creation { guard, runs: vec![run], tasks: Vec::new() }
}

/// Creates a run of these tasks; gives back its id.
pub(crate) async fn start(store: &Store, tasks: Vec<NewTask>) -> RunId {
    let run = run(tasks);
    let id = run.id;
    let created = store.create(vec![creation(Guard::None, run)]).await.unwrap();
    assert!(matches!(created[..], [Created::New { .. }]), "{created:?}");
    id
}

/// Creates a run of one task and claims it.
pub(crate) async fn claimed(store: &Store, terms: ClaimTerms) -> ClaimedTask {
    let new = task("one");
    let id = new.id;
    start(store, vec![new]).await;
    store.claim_tasks(vec![id], terms).await.unwrap().pop().expect("a queued task can be claimed")
}

pub(crate) fn completed(task: ClaimedTask) -> Settlement {
    let outcome = Outcome::Completed {
        result: json!({ "text": "done" }),
        next: Next::default(),
        run: RunProgress::default(),
    };
    task.settle(outcome, Spent::default(), &POLICY, 0.0)
}

pub(crate) fn failed(task: ClaimedTask, retry: Retry) -> Settlement {
    let failure = Failure::new(FailureCode::ModelTimeout, "the model was slow");
    task.settle(Outcome::Failed { failure, retry }, Spent::default(), &POLICY, 0.0)
}

/// Settles without free slots for what follows.
pub(crate) async fn settle(
    store: &Store,
    terms: ClaimTerms,
    settlements: Vec<Settlement>,
) -> SettleReport {
    let request =
        SettleRequest { settlements, claims: Vec::new(), terms, roles: Vec::new(), free_slots: 0 };
    store.settle_tasks(request).await.unwrap()
}

/// Claims everything that is queued and completes it, until nothing is.
pub(crate) async fn work_off(store: &Store) -> Vec<TaskId> {
    let terms = terms();
    let mut done = Vec::new();
    loop {
        let tasks = store.claim_next_tasks(Role::ALL.to_vec(), 100, terms).await.unwrap();
        if tasks.is_empty() {
            return done;
        }
        done.extend(tasks.iter().map(|task| task.id));
        settle(store, terms, tasks.into_iter().map(completed).collect()).await;
    }
}

pub(crate) async fn status(store: &Store, id: TaskId) -> TaskStatus {
    store.find_task(id).await.unwrap().expect("the task is there").status
}

pub(crate) async fn run_status(store: &Store, id: RunId) -> RunStatus {
    store.find_run(id).await.unwrap().expect("the run is there").status
}

/// The kinds of a task's events, in order.
pub(crate) async fn history(store: &Store, id: TaskId) -> String {
    let events = store.task_history(id).await.unwrap();
    events.iter().map(|event| event.kind.name()).collect::<Vec<_>>().join(" ")
}

/// The kinds of a run's own events, in order.
pub(crate) async fn run_history(store: &Store, id: RunId) -> String {
    let events = store.run_events(id, 0, 1_000).await.unwrap();
    let own = events.iter().filter(|event| event.task_id.is_none());
    own.map(|event| event.kind.name()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn object() -> Value {
    json!({})
}
