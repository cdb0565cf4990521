//! Leases that are lost: the late result of a worker that hung must not count. Time is moved by moving rows, which needs
//! Postgres.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{history::EventKind, ids::TaskId, retry::RetryPolicy, role::Role, task::TaskStatus};
use testkit::{TestStore, eventually};
use tokio::sync::Semaphore;
use worker::WorkerConfig;

use crate::{
    script::Script,
    stage::{NEVER, Stage, config, single, until},
};

/// As if the worker had not renewed this lease for long, and a scheduler had seen it.
pub(crate) async fn expire(stage: &Stage, id: TaskId) {
    stage
        .db
        .sql(&format!(
            "UPDATE tasks SET leased_until = now() - interval '1 minute' WHERE id = '{id}'"
        ))
        .await;
    let rescued =
        stage.db.store.rescue_expired(RetryPolicy::new(3, Duration::ZERO), 10).await.unwrap();
    assert_eq!(rescued.retried, [id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_late_result_of_a_hung_worker_is_fenced() {
    let stage = Stage::on(TestStore::postgres().await).await;
    let gate = Arc::new(Semaphore::new(0));
    let hung = Script::gated(&gate);
    // Its one slot is taken by the task on which it hangs.
    let first = stage.start(WorkerConfig { concurrency: 1, ..config() }, hung.clone());
    let id = stage.create_task(single(Role::Reviewer)).await;
    until("it runs", || hung.at_work() == 1).await;
    expire(&stage, id).await;

    let second = stage.start(config(), Script::answering());
    let task = stage.until(id, TaskStatus::Completed).await;
    assert_eq!(task.attempt, 2);

    gate.add_permits(1);
    eventually("the late result was refused", || async {
        stage.history(id).await.contains(&EventKind::TaskFenced).then_some(())
    })
    .await;
    assert_eq!(stage.task(id).await, task, "nothing changed but the history");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_cannot_renew_stops_before_its_lease_ends() {
    let stage = Stage::on(TestStore::postgres().await).await;
    let agent = Script::silent();
    let lease = Duration::from_millis(1_500);
    let worker = stage.start(WorkerConfig { lease, ..config() }, agent.clone());
    let claimed = Instant::now();
    stage.create_task(single(Role::Reviewer)).await;
    until("it runs", || agent.at_work() == 1).await;
    // Renewals go on for longer than one lease.
    until("one lease has passed", || claimed.elapsed() > lease + lease / 4).await;
    assert_eq!(agent.at_work(), 1);

    stage.db.sql("ALTER TABLE tasks RENAME TO tasks_away").await;
    let away = Instant::now();
    until("it has stopped", || agent.at_work() == 0).await;
    assert!(away.elapsed() < lease, "{:?}", away.elapsed());
    until("its slot is free", || worker.health.running() == 0).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lease_stops_the_attempt_at_the_next_heartbeat() {
    let stage = Stage::on(TestStore::postgres().await).await;
    let agent = Script::silent();
    let lease = Duration::from_millis(1_500);
    let config = WorkerConfig { lease, cancel_interval: NEVER, ..config() };
    let worker = stage.start(config, agent.clone());
    let id = stage.create_task(single(Role::Reviewer)).await;
    until("it runs", || agent.at_work() == 1).await;
    // A deleted task is no more, so that only the heartbeat can tell.
    stage.db.store.delete_task(id).await.unwrap();
    let deleted = Instant::now();
    until("it has stopped", || agent.at_work() == 0).await;
    assert!(deleted.elapsed() < lease, "{:?}", deleted.elapsed());
    worker.stop().await;
}
