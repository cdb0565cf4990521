//! How tasks come to a worker.

use std::sync::Arc;

use agent_executor::{StubExecutor, settings::ResponseFormat};
use domain::{
    history::EventKind,
    message::Message,
    role::Role,
    task::{Priority, TaskStatus},
};
use testkit::{TestStore, on_both_stores};
use tokio::sync::Semaphore;
use worker::WorkerConfig;

use crate::{
    script::Script,
    stage::{Stage, config, run_of, single, until},
};

on_both_stores!(a_message_repeated_runs_once, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let agent = Script::answering();
    let worker = stage.start(config(), agent.clone());
    let task = single(Role::Reviewer);
    let (id, run) = (task.id, run_of(vec![task]));
    let message = Message { task_id: id, run_id: run.id, role: Role::Reviewer, attempt: 1 };
    stage.create(run).await;
    for _ in 0..5 {
        stage.queue.publish(&[message; 4]).await;
    }
    stage.until(id, TaskStatus::Completed).await;
    // The last of them is of a task that is long over.
    stage.queue.publish(&[message]).await;
    let other = stage.create_task(single(Role::Reviewer)).await;
    stage.until(other, TaskStatus::Completed).await;
    worker.stop().await;

    assert_eq!(agent.seen().iter().filter(|it| it.task_id == id).count(), 1);
    let happened = stage.history(id).await;
    assert_eq!(
        happened.iter().filter(|it| **it == EventKind::TaskStarted).count(),
        1,
        "{happened:?}"
    );
    let waiting: u64 = stage.queue.depths().await.unwrap().iter().map(|(_, depth)| depth).sum();
    assert_eq!(waiting, 0, "every message has been dealt with");
});

on_both_stores!(no_more_run_at_once_than_there_are_slots, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let gate = Arc::new(Semaphore::new(0));
    let agent = Script::gated(&gate);
    let config = WorkerConfig {
        concurrency: 3,
        poll_interval: std::time::Duration::from_millis(10),
        ..config()
    };
    let worker = stage.start(config, agent.clone());
    // Half of them with a follower, which is claimed as soon as its predecessor is settled.
    let mut tasks = Vec::new();
    for _ in 0..10 {
        let first = single(Role::Reviewer);
        let mut second = single(Role::Tester);
        second.depends_on = vec![first.id];
        tasks.extend([first, second]);
    }
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    stage.create(run_of(tasks)).await;

    until("all slots are taken", || agent.at_work() == 3).await;
    gate.add_permits(20);
    for id in ids {
        stage.until(id, TaskStatus::Completed).await;
    }
    assert_eq!((agent.most_at_work(), agent.seen().len()), (3, 20));
    worker.stop().await;
});

on_both_stores!(a_task_whose_message_was_lost_is_found, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let mut late = single(Role::Reviewer);
    let mut urgent = single(Role::Reviewer);
    late.priority = Priority::try_from(9).unwrap();
    urgent.priority = Priority::try_from(0).unwrap();
    let ids = [late.id, urgent.id];
    let creation = store::runs::Creation {
        guard: store::runs::Guard::None,
        runs: vec![run_of(vec![late, urgent])],
        tasks: Vec::new(),
    };
    stage.db.store.create(vec![creation]).await.unwrap();

    let agent = Script::answering();
    let config = WorkerConfig {
        concurrency: 1,
        poll_interval: std::time::Duration::from_millis(10),
        ..config()
    };
    let worker = stage.start(config, agent.clone());
    for id in ids {
        stage.until(id, TaskStatus::Completed).await;
    }
    let order: Vec<_> = agent.seen().iter().map(|it| it.task_id).collect();
    assert_eq!(order, [ids[1], ids[0]], "the urgent one comes first");
    worker.stop().await;
});

on_both_stores!(a_worker_takes_only_tasks_of_its_roles, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let (reviewing, testing) = (Script::answering(), Script::answering());
    let only = |role| WorkerConfig {
        roles: vec![role],
        poll_interval: std::time::Duration::from_millis(10),
        ..config()
    };
    let first = stage.start(only(Role::Reviewer), reviewing.clone());
    let tasks: Vec<_> =
        [Role::Tester, Role::Reviewer, Role::Tester, Role::Reviewer].map(single).into();
    let ids: Vec<_> = tasks.iter().map(|task| (task.id, task.role)).collect();
    stage.create(run_of(tasks)).await;
    for (id, role) in &ids {
        if *role == Role::Reviewer {
            stage.until(*id, TaskStatus::Completed).await;
        }
    }
    let second = stage.start(only(Role::Tester), testing.clone());
    for (id, _) in &ids {
        stage.until(*id, TaskStatus::Completed).await;
    }
    let roles = |agent: &Script| agent.seen().iter().map(|it| it.role).collect::<Vec<_>>();
    assert_eq!(roles(&reviewing), [Role::Reviewer; 2]);
    assert_eq!(roles(&testing), [Role::Tester; 2]);
    first.stop().await;
    second.stop().await;
});

on_both_stores!(a_thousand_attempts_wait_at_once_on_one_worker, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let gate = Arc::new(Semaphore::new(0));
    let agent = Script::gated(&gate);
    let worker = stage.start(WorkerConfig { concurrency: 1_000, ..config() }, agent.clone());
    let run = run_of((0..1_000).map(|_| single(Role::Implementer)).collect());
    let id = run.id;
    stage.create(run).await;
    until("all of them wait", || agent.at_work() == 1_000).await;
    assert_eq!(worker.health.running(), 1_000);
    gate.add_permits(1_000);
    stage.until_run_ends(id).await;
    assert_eq!(agent.seen().len(), 1_000);
    worker.stop().await;
});

on_both_stores!(
    a_task_that_changed_its_role_after_its_message_goes_back,
    |db: TestStore| async move {
        let stage = Stage::on(db).await;
        let task = single(Role::Tester);
        let (id, run) = (task.id, run_of(vec![task]));
        // As if it had been announced for reviewers before.
        let stale = Message { task_id: id, run_id: run.id, role: Role::Reviewer, attempt: 1 };
        let creation = store::runs::Creation {
            guard: store::runs::Guard::None,
            runs: vec![run],
            tasks: Vec::new(),
        };
        stage.db.store.create(vec![creation]).await.unwrap();
        let reviewing = Script::answering();
        let first = stage
            .start(WorkerConfig { roles: vec![Role::Reviewer], ..config() }, reviewing.clone());
        stage.queue.publish(&[stale]).await;
        testkit::eventually("it was handed back", || async {
            stage.history(id).await.contains(&EventKind::TaskHandedBack).then_some(())
        })
        .await;
        let stub = Arc::new(StubExecutor::new(ResponseFormat::Text));
        let second = stage.start(WorkerConfig { roles: vec![Role::Tester], ..config() }, stub);
        let task = stage.until(id, TaskStatus::Completed).await;
        assert_eq!((task.attempt, reviewing.seen().len()), (1, 0));
        first.stop().await;
        second.stop().await;
    }
);
