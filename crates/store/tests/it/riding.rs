//! Claims that go along with settlements.

use domain::{
    ids::{RunId, TaskId},
    role::Role,
    run::RunStatus,
    task::TaskStatus,
};
use store::tasks::{SettleReport, SettleRequest, Settled};
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, claimed, completed, start, task, terms};

/// Settles a task, and claims `claims` with it.
async fn settle_and_claim(test: &TestStore, claims: Vec<(RunId, TaskId)>) -> SettleReport {
    let terms = terms();
    let done = claimed(&test.store, terms).await;
    let request = SettleRequest {
        settlements: vec![completed(done)],
        claims,
        terms,
        roles: Role::ALL.to_vec(),
        free_slots: 1,
    };
    test.store.settle_tasks(request).await.unwrap()
}

on_both_stores!(what_is_queued_is_claimed_and_what_is_not_is_not, |test: TestStore| async move {
    let store = &test.store;
    let stale = claimed(store, terms()).await;
    let fresh = task("fresh");
    let (fresh_id, nowhere) = (fresh.id, TaskId::new());
    let run = start(store, vec![fresh]).await;
    let claims = vec![(run, fresh_id), (stale.run_id, stale.id), (RunId::new(), nowhere)];
    let report = settle_and_claim(&test, claims).await;
    assert_eq!(report.results, [Settled::Applied]);
    assert_eq!(report.claimed.iter().map(|it| it.id).collect::<Vec<_>>(), [fresh_id]);
    assert_eq!((report.left, report.follow_ups.len()), (vec![nowhere], 0));
    assert_eq!(scene::run_status(store, run).await, RunStatus::Running);
    assert_eq!(scene::history(store, fresh_id).await, "task.created task.started");
    assert_eq!(scene::status(store, stale.id).await, TaskStatus::Running);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlements_do_not_wait_for_the_run_of_a_claim() {
    let test = TestStore::postgres().await;
    let (locked, free) = (task("locked"), task("free"));
    let (locked_id, free_id) = (locked.id, free.id);
    let run = start(&test.store, vec![locked]).await;
    let other = start(&test.store, vec![free]).await;
    let lock = test.hold(&format!("SELECT FROM runs WHERE id = '{run}' FOR UPDATE")).await;
    let report = settle_and_claim(&test, vec![(run, locked_id), (other, free_id)]).await;
    assert_eq!(report.results, [Settled::Applied]);
    assert_eq!(report.claimed.iter().map(|it| it.id).collect::<Vec<_>>(), [free_id]);
    assert_eq!(report.left, [locked_id]);
    drop(lock);
    let alone = test.store.claim_tasks(report.left, terms()).await.unwrap();
    assert_eq!(alone.len(), 1);
}
