//! Runs that take too long.

use std::time::Duration;

use domain::{
    role::Role,
    run::RunStatus,
    task::{CancelReason, TaskStatus},
};
use testkit::{TestStore, eventually, on_both_stores};

use crate::bench::{Bench, claim, create, hasty, task_of};

on_both_stores!(a_run_that_takes_longer_than_it_may_is_ended, |test: TestStore| async move {
    let (late, _) = create(&test.store, task_of(Role::Architect)).await;
    claim(&test.store, late.id, Duration::from_secs(60)).await;
    let (waiting, _) = create(&test.store, task_of(Role::Architect)).await;

    let mut settings = hasty();
    settings.longest_run = Some(Duration::ZERO);
    let _bench = Bench::start(&test.store, settings).await;
    let ended = eventually("the run ends", || async {
        let run = test.store.find_run(late.run_id).await.unwrap().unwrap();
        (run.status == RunStatus::Failed).then_some(run)
    })
    .await;
    assert_eq!(ended.outcome.unwrap()["reason"], "timed_out");
    let late = test.store.find_task(late.id).await.unwrap().unwrap();
    assert_eq!(
        (late.status, late.cancel_reason),
        (TaskStatus::Cancelled, Some(CancelReason::RunTimedOut))
    );
    // The time of a run begins with its first attempt.
    let waiting = test.store.find_run(waiting.run_id).await.unwrap().unwrap();
    assert_eq!(waiting.status, RunStatus::Queued);
});
