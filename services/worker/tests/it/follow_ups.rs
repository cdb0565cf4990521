//! What follows a completed task.

use domain::{history::EventKind, ids::TaskId, role::Role, task::TaskStatus};
use testkit::{TestStore, on_both_stores};
use worker::WorkerConfig;

use crate::{
    script::Script,
    stage::{Stage, config, run_of, single},
};

on_both_stores!(a_follow_up_is_claimed_in_the_settling_transaction, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let worker = stage.start(WorkerConfig { concurrency: 4, ..config() }, Script::answering());
    // Five in a row, and three beside each other after the last.
    let mut tasks = vec![single(Role::Architect)];
    for _ in 0..4 {
        let mut next = single(Role::Implementer);
        next.depends_on = vec![tasks[tasks.len() - 1].id];
        tasks.push(next);
    }
    let last = tasks[4].id;
    for _ in 0..3 {
        let mut beside = single(Role::Tester);
        beside.depends_on = vec![last];
        tasks.push(beside);
    }
    let chain: Vec<TaskId> = tasks.iter().take(5).map(|task| task.id).collect();
    let run = run_of(tasks);
    let id = run.id;
    stage.create(run).await;
    stage.until_run_ends(id).await;

    for pair in chain.windows(2) {
        let completed = at(&stage, pair[0], EventKind::TaskCompleted).await;
        let started = at(&stage, pair[1], EventKind::TaskStarted).await;
        assert_eq!(completed, started, "the same transaction, which has one time");
    }
    worker.stop().await;
});

on_both_stores!(a_follow_up_for_another_role_is_announced, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let only = |role| WorkerConfig { roles: vec![role], ..config() };
    let reviewing = stage.start(only(Role::Reviewer), Script::answering());
    let testing = stage.start(only(Role::Tester), Script::answering());
    let first = single(Role::Reviewer);
    let mut second = single(Role::Tester);
    second.depends_on = vec![first.id];
    let id = second.id;
    stage.create(run_of(vec![first, second])).await;
    // No worker looks at the store by itself here, so that only the message can have told.
    stage.until(id, TaskStatus::Completed).await;
    reviewing.stop().await;
    testing.stop().await;
    let left: Vec<_> = stage.db.store.left_behind(std::time::Duration::ZERO, 10).await.unwrap();
    let of_second: Vec<_> = left.iter().filter(|row| row.message.task_id == id).collect();
    assert_eq!(of_second, Vec::<&domain::message::OutboxMessage>::new(), "its row was forgotten");
});

async fn at(stage: &Stage, id: TaskId, kind: EventKind) -> chrono::DateTime<chrono::Utc> {
    let events = stage.db.store.task_history(id).await.unwrap();
    events.iter().find(|event| event.kind == kind).map(|event| event.at).expect("it happened")
}
