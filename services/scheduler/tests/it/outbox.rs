//! Messages that nobody published, and messages that were lost.

use domain::role::Role;
use testkit::{TestStore, eventually, on_both_stores};

use crate::bench::{Bench, claim, create, failed, hasty, heard, settle, task_of};

on_both_stores!(
    what_was_left_behind_in_the_outbox_is_published_and_forgotten,
    |test: TestStore| async move {
        let (task, left) = create(&test.store, task_of(Role::Reviewer)).await;
        assert_eq!(left.len(), 1);

        let bench = Bench::start(&test.store, hasty()).await;
        assert_eq!(heard(&mut bench.listen().await).await, task.id);
        eventually("the outbox is empty", || async {
            (test.store.gauges().await.unwrap().outbox_rows == 0).then_some(())
        })
        .await;
    }
);

on_both_stores!(more_than_a_batch_is_swept_in_one_go, |test: TestStore| async move {
    for _ in 0..25 {
        create(&test.store, task_of(Role::Tester)).await;
    }
    // With this period a second look never comes: full batches follow each other at once.
    let mut settings = hasty();
    settings.batch = 10;
    settings.periods.sweep = std::time::Duration::from_secs(3_600);
    let bench = Bench::start(&test.store, settings).await;
    let mut subscription = bench.listen().await;
    for _ in 0..25 {
        heard(&mut subscription).await;
    }
});

on_both_stores!(
    a_ready_task_whose_message_was_lost_is_announced_again,
    |test: TestStore| async move {
        let (task, lost) = create(&test.store, task_of(Role::Tester)).await;
        test.store.forget_published(lost.iter().map(|row| row.id).collect()).await.unwrap();

        let mut settings = hasty();
        settings.unclaimed_after = std::time::Duration::ZERO;
        let bench = Bench::start(&test.store, settings).await;
        assert_eq!(heard(&mut bench.listen().await).await, task.id);
    }
);

on_both_stores!(a_retry_is_queued_when_its_wait_is_over, |test: TestStore| async move {
    let (task, lost) = create(&test.store, task_of(Role::Tester)).await;
    test.store.forget_published(lost.iter().map(|row| row.id).collect()).await.unwrap();
    let claimed = claim(&test.store, task.id, std::time::Duration::from_secs(60)).await;
    settle(&test.store, claimed, failed()).await;

    let bench = Bench::start(&test.store, hasty()).await;
    assert_eq!(heard(&mut bench.listen().await).await, task.id);
    let task = test.store.find_task(task.id).await.unwrap().unwrap();
    assert_eq!(
        (task.status, task.attempt, task.run_at),
        (domain::task::TaskStatus::Queued, 1, None)
    );
});
