//! How a worker ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{history::EventKind, role::Role, task::TaskStatus};
use testkit::{TestStore, on_both_stores};
use tokio::sync::Semaphore;
use worker::WorkerConfig;

use crate::{
    script::Script,
    stage::{Stage, config, single, until},
};

on_both_stores!(
    what_cannot_end_in_time_is_handed_back_and_burns_no_attempt,
    |db: TestStore| async move {
        let stage = Stage::on(db).await;
        let agent = Script::silent();
        let grace = Duration::from_secs(5);
        let worker = stage.start(WorkerConfig { grace, ..config() }, agent.clone());
        let id = stage.create_task(single(Role::Reviewer)).await;
        until("it runs", || agent.at_work() == 1).await;

        let told = Instant::now();
        worker.stop().await;
        assert!(told.elapsed() < grace, "{:?}", told.elapsed());
        let task = stage.task(id).await;
        assert_eq!((task.status, task.attempt), (TaskStatus::Queued, 0));
        assert!(stage.history(id).await.contains(&EventKind::TaskHandedBack));

        // Its message was published by the worker that handed it back.
        let next = stage.start(config(), Script::answering());
        assert_eq!(stage.until(id, TaskStatus::Completed).await.attempt, 1);
        next.stop().await;
    }
);

on_both_stores!(what_ends_within_the_grace_period_is_settled, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let gate = Arc::new(Semaphore::new(0));
    let agent = Script::gated(&gate);
    let worker = stage.start(config(), agent.clone());
    let mut follower = single(Role::Tester);
    let first = single(Role::Reviewer);
    follower.depends_on = vec![first.id];
    let ids = [first.id, follower.id];
    stage.create(crate::stage::run_of(vec![first, follower])).await;
    until("it runs", || agent.at_work() == 1).await;

    worker.shutdown.stop.cancel();
    let late = stage.create_task(single(Role::Reviewer)).await;
    gate.add_permits(9);
    worker.ended().await;
    let statuses = [
        stage.task(ids[0]).await.status,
        stage.task(ids[1]).await.status,
        stage.task(late).await.status,
    ];
    // What follows, and what comes later, is left to others.
    assert_eq!(statuses, [TaskStatus::Completed, TaskStatus::Queued, TaskStatus::Queued]);
    let next = stage.start(config(), Script::answering());
    stage.until(ids[1], TaskStatus::Completed).await;
    stage.until(late, TaskStatus::Completed).await;
    next.stop().await;
});

on_both_stores!(a_second_signal_hands_back_at_once, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let agent = Script::silent();
    let worker =
        stage.start(WorkerConfig { grace: Duration::from_secs(3_600), ..config() }, agent.clone());
    let id = stage.create_task(single(Role::Reviewer)).await;
    until("it runs", || agent.at_work() == 1).await;
    worker.shutdown.stop.cancel();
    worker.shutdown.hurry.cancel();
    worker.ended().await;
    let task = stage.task(id).await;
    assert_eq!((task.status, task.attempt), (TaskStatus::Queued, 0));
});

on_both_stores!(a_worker_that_is_switched_off_takes_nothing, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let worker = stage.start(WorkerConfig { enabled: false, ..config() }, Script::answering());
    let id = stage.create_task(single(Role::Reviewer)).await;
    worker.stop().await;
    assert_eq!(stage.task(id).await.status, TaskStatus::Queued);
});
