//! Cancelled tasks stop.

use std::time::{Duration, Instant};

use domain::{history::EventKind, role::Role, task::TaskStatus};
use store::tasks::Changed;
use testkit::{TestStore, on_both_stores};
use worker::WorkerConfig;

use crate::{
    script::Script,
    stage::{Stage, config, run_of, single, until},
};

on_both_stores!(a_cancelled_task_stops_running_within_a_second, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let agent = Script::silent();
    let worker = stage.start(WorkerConfig { concurrency: 2, ..config() }, agent.clone());
    let run = run_of(vec![single(Role::Reviewer), single(Role::Tester)]);
    let ids = [run.tasks[0].id, run.tasks[1].id];
    let run_id = run.id;
    stage.create(run).await;
    until("both run", || agent.at_work() == 2).await;

    let changed = stage.db.store.cancel_task(ids[0]).await.unwrap();
    assert!(matches!(changed, Changed::Done { .. }), "{changed:?}");
    let asked = Instant::now();
    until("one has stopped", || agent.at_work() == 1).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());

    stage.db.store.cancel_run(run_id).await.unwrap();
    let asked = Instant::now();
    until("both have stopped", || agent.at_work() == 0).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());

    until("nothing is held", || worker.health.running() == 0).await;
    worker.stop().await;
    for id in ids {
        assert_eq!(stage.task(id).await.status, TaskStatus::Cancelled);
        assert!(
            !stage.history(id).await.contains(&EventKind::TaskFenced),
            "nothing was settled after it"
        );
    }
});

on_both_stores!(
    a_task_that_is_tried_again_after_its_cancellation_is_left_alone,
    |db: TestStore| async move {
        let stage = Stage::on(db).await;
        let agent = Script::silent();
        let worker = stage.start(config(), agent.clone());
        let id = stage.create_task(single(Role::Reviewer)).await;
        until("it runs", || agent.at_work() == 1).await;
        stage.db.store.cancel_task(id).await.unwrap();
        until("it has stopped", || agent.at_work() == 0).await;

        let Changed::Done { announce, .. } = stage.db.store.retry_task(id).await.unwrap() else {
            panic!("not now")
        };
        stage.publish(&announce).await;
        until("it runs again", || agent.at_work() == 1).await;
        // Another one is cancelled, so that this worker looks and sees both.
        let other = stage.create_task(single(Role::Reviewer)).await;
        until("the other runs", || agent.at_work() == 2).await;
        stage.db.store.cancel_task(other).await.unwrap();
        until("the other has stopped", || agent.at_work() == 1).await;
        assert_eq!(stage.task(id).await.status, TaskStatus::Running);
        worker.shutdown.hurry.cancel();
        worker.stop().await;
    }
);
