//! Workers that are gone.

use std::time::Duration;

use domain::{
    history::EventKind,
    role::Role,
    task::{FailureCode, TaskStatus},
};
use testkit::{TestStore, eventually, on_both_stores};

use crate::bench::{Bench, claim, create, hasty, heard, task_of};

/// A lease that has run out when its claim returns.
const NO_LEASE: Duration = Duration::ZERO;

on_both_stores!(a_task_whose_worker_died_is_tried_again, |test: TestStore| async move {
    let (task, lost) = create(&test.store, task_of(Role::Implementer)).await;
    test.store.forget_published(lost.iter().map(|row| row.id).collect()).await.unwrap();
    claim(&test.store, task.id, NO_LEASE).await;

    let bench = Bench::start(&test.store, hasty()).await;
    assert_eq!(heard(&mut bench.listen().await).await, task.id);
    let task = test.store.find_task(task.id).await.unwrap().unwrap();
    assert_eq!((task.status, task.attempt, task.worker_id), (TaskStatus::Queued, 1, None));
    let history = test.store.task_history(task.id).await.unwrap();
    assert!(history.iter().any(|event| event.kind == EventKind::TaskLeaseExpired), "{history:?}");
});

on_both_stores!(a_task_whose_last_worker_died_is_a_dead_letter, |test: TestStore| async move {
    let mut only_once = task_of(Role::Implementer);
    only_once.max_attempts = Some(1);
    let (task, _) = create(&test.store, only_once).await;
    claim(&test.store, task.id, NO_LEASE).await;

    let _bench = Bench::start(&test.store, hasty()).await;
    let task = eventually("the task fails", || async {
        let task = test.store.find_task(task.id).await.unwrap().unwrap();
        (task.status == TaskStatus::Failed).then_some(task)
    })
    .await;
    assert_eq!(task.error.unwrap().code, FailureCode::LeaseExpired);
    assert_eq!(test.store.count_dead_letters(None).await.unwrap(), 1);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_hangs_in_a_transaction_holds_up_no_other_lease() {
    const LEASE: Duration = Duration::from_millis(700);
    let test = TestStore::postgres().await;
    let (stuck, _) = create(&test.store, task_of(Role::Implementer)).await;
    let (other, _) = create(&test.store, task_of(Role::Implementer)).await;
    claim(&test.store, stuck.id, LEASE).await;
    claim(&test.store, other.id, LEASE).await;
    // It has its lock long before the leases end, and keeps it until long after.
    let hang = format!(
        "BEGIN; SELECT FROM runs WHERE id = '{}' FOR NO KEY UPDATE; SELECT pg_sleep(4); COMMIT",
        stuck.run_id
    );
    let rescue = async {
        let bench = Bench::start(&test.store, hasty()).await;
        let status = async |id| test.store.find_task(id).await.unwrap().unwrap().status;
        eventually("the other task is queued again", async || {
            (status(other.id).await == TaskStatus::Queued).then_some(())
        })
        .await;
        assert_eq!(status(stuck.id).await, TaskStatus::Running, "nobody can rescue it yet");
        eventually("the stuck task is queued again, too", async || {
            (status(stuck.id).await == TaskStatus::Queued).then_some(())
        })
        .await;
        drop(bench);
    };
    tokio::join!(test.sql(&hang), rescue);
}

on_both_stores!(two_schedulers_rescue_each_lease_once, |test: TestStore| async move {
    let mut ids = Vec::new();
    for _ in 0..30 {
        let (task, _) = create(&test.store, task_of(Role::Implementer)).await;
        claim(&test.store, task.id, NO_LEASE).await;
        ids.push(task.id);
    }
    let _both =
        [Bench::start(&test.store, hasty()).await, Bench::start(&test.store, hasty()).await];
    for id in ids {
        eventually("the task is queued again", || async {
            let task = test.store.find_task(id).await.unwrap().unwrap();
            (task.status == TaskStatus::Queued).then_some(())
        })
        .await;
        let history = test.store.task_history(id).await.unwrap();
        let rescues =
            history.iter().filter(|event| event.kind == EventKind::TaskLeaseExpired).count();
        assert_eq!(rescues, 1, "{history:?}");
    }
});
