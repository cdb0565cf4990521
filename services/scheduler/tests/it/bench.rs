//! A scheduler at work, and what the tests put before it.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use domain::{
    ids::{RunId, TaskId, WorkerId},
    message::OutboxMessage,
    role::Role,
    run::{Budget, NewRun},
    settlement::{Outcome, Retry, RunProgress, Spent},
    task::{ClaimedTask, Failure, FailureCode, NewTask, Priority, Task, TaskKind},
    trigger::Source,
    workflow::{Next, Workflow},
};
use queue::{Queue, Subscription, announcer::Announcer};
use scheduler::{Config, Scheduler, Settings};
use serde_json::json;
use store::{
    Store,
    runs::{Created, Creation, Guard},
    tasks::{ClaimTerms, SettleRequest, Settled},
};
use tokio_util::sync::CancellationToken;

/// The settings of a scheduler that looks again every 20 ms and finds everything old at once.
pub(crate) fn hasty() -> Settings {
    let arguments = [
        "--scheduler-sweep-ms=20",
        "--scheduler-left-behind-ms=0",
        "--scheduler-remind-ms=20",
        // Not at once: what other tests look at is not to be announced twice.
        "--scheduler-unclaimed-ms=3600000",
        "--scheduler-promote-ms=20",
        "--scheduler-rescue-ms=20",
        "--scheduler-timeouts-ms=20",
        "--scheduler-periodic-ms=20",
        "--scheduler-clean-ms=20",
        "--scheduler-gauges-ms=20",
        "--scheduler-patience-ms=0",
    ];
    let config = config(&arguments);
    config.scheduler.settings(config.retries.policy())
}

pub(crate) fn config(arguments: &[&str]) -> Config {
    Config::try_parse_from([&["scheduler", "--task-queue=in-process"], arguments].concat()).unwrap()
}

pub(crate) struct Bench {
    pub(crate) scheduler: Scheduler,
    pub(crate) queue: Arc<dyn Queue>,
    shutdown: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Bench {
    /// A scheduler with a queue of its own.
    pub(crate) async fn start(store: &Store, settings: Settings) -> Self {
        let queue = queue::connect(&config(&[]).queue, "test").await.unwrap();
        let shutdown = CancellationToken::new();
        let forget = scheduler::forgetter(store.clone());
        let (announcer, _announcements) = Announcer::start(queue.clone(), forget, shutdown.clone());
        let scheduler =
            Scheduler::start(settings, store.clone(), queue.clone(), announcer, shutdown.clone());
        Self { scheduler, queue, shutdown }
    }

    /// Hears of tasks of every role.
    pub(crate) async fn listen(&self) -> Box<dyn Subscription> {
        self.queue.subscribe(Role::ALL, 1_000).await
    }
}

/// The next task that is announced.
pub(crate) async fn heard(subscription: &mut Box<dyn Subscription>) -> TaskId {
    let next = tokio::time::timeout(Duration::from_secs(20), subscription.receive(1)).await;
    let delivery = next.expect("a message within 20 s").expect("an open queue").remove(0);
    let task = delivery.body.as_ref().unwrap().task_id;
    subscription.settle(vec![(delivery, queue::Disposition::Ack)]).await;
    task
}

pub(crate) fn run_of(tasks: Vec<NewTask>) -> NewRun {
    NewRun {
        id: RunId::new(),
        workflow: Workflow::Single,
        goal: "look".to_owned(),
        repository: None,
        base_ref: None,
        source: Source::Api,
        budget: Budget::default(),
        priority: Priority::default(),
        metadata: json!({}),
        tasks,
    }
}

pub(crate) fn task_of(role: Role) -> NewTask {
    NewTask::new(role, TaskKind::Single, "look")
}

/// Creates a run with one task; its message stays in the outbox, as if the creator had died.
pub(crate) async fn create(store: &Store, task: NewTask) -> (Task, Vec<OutboxMessage>) {
    let creation =
        Creation { guard: Guard::None, runs: vec![run_of(vec![task])], tasks: Vec::new() };
    let created = store.create(vec![creation]).await.unwrap().remove(0);
    let Created::New { mut set, announce } = created else { panic!("{created:?}") };
    (set.tasks.remove(0), announce)
}

/// The terms of the one worker of a test.
fn terms(lease: Duration) -> ClaimTerms {
    ClaimTerms { worker: WorkerId::from_uuid(uuid::Uuid::from_u128(1)), lease, max_attempts: 3 }
}

pub(crate) async fn claim(store: &Store, task: TaskId, lease: Duration) -> ClaimedTask {
    store.claim_tasks(vec![task], terms(lease)).await.unwrap().remove(0)
}

/// Ends an attempt.
pub(crate) async fn settle(store: &Store, task: ClaimedTask, outcome: Outcome) {
    let policy = domain::retry::RetryPolicy::new(3, Duration::ZERO);
    let settlement = task.settle(outcome, Spent::default(), &policy, 0.0);
    let request = SettleRequest {
        settlements: vec![settlement],
        claims: Vec::new(),
        terms: terms(Duration::from_secs(60)),
        roles: Vec::new(),
        free_slots: 0,
    };
    assert_eq!(store.settle_tasks(request).await.unwrap().results, [Settled::Applied]);
}

pub(crate) fn completed() -> Outcome {
    Outcome::Completed { result: json!({}), next: Next::default(), run: RunProgress::default() }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed {
        failure: Failure::new(FailureCode::ModelTimeout, "slow"),
        retry: Retry::Backoff,
    }
}
