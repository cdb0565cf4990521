use std::time::Duration;

use domain::{
    run::RunStatus,
    settlement::{DeadLetterReason, Retry},
    task::{FailureCode, TaskStatus},
};
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, claimed, failed, settle, start, task, terms};
use store::{
    PageRequest,
    tasks::{Changed, ClaimTerms, DeadLetterChoice},
};

on_both_stores!(a_failed_attempt_is_retried_and_then_a_dead_letter, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let first = claimed(store, terms).await;
    let (id, run) = (first.id, first.run_id);
    settle(store, terms, vec![failed(first, Retry::Backoff)]).await;
    let waiting = store.find_task(id).await.unwrap().unwrap();
    assert_eq!(waiting.status, TaskStatus::Retrying);
    assert_eq!(waiting.error.map(|error| error.code), Some(FailureCode::ModelTimeout));
    assert_eq!(scene::run_status(store, run).await, RunStatus::Running);

    let promoted = testkit::eventually("the backoff ends", || async {
        Some(store.promote_due(10).await.unwrap()).filter(|rows| !rows.is_empty())
    })
    .await;
    assert_eq!(promoted[0].message.attempt, 2);
    let second = store.claim_tasks(vec![id], terms).await.unwrap().pop().unwrap();
    settle(store, terms, vec![failed(second, Retry::Backoff)]).await;
    assert_eq!(scene::status(store, id).await, TaskStatus::Failed);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Failed);
    let letters =
        store.list_dead_letters(None, PageRequest { after: None, limit: 10 }).await.unwrap();
    let letter = &letters.items[0];
    assert_eq!(
        (letter.task_id, letter.attempts, letter.reason),
        (id, 2, DeadLetterReason::AttemptsSpent)
    );

    let replayed = store.replay_dead_letters(DeadLetterChoice::These(vec![id])).await.unwrap();
    assert_eq!(replayed.task_ids, [id]);
    assert_eq!(store.count_dead_letters(None).await.unwrap(), 0);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Queued);
    assert_eq!(scene::work_off(store).await, [id]);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
    assert_eq!(
        scene::history(store, id).await,
        "task.created task.started task.retrying task.queued task.started task.failed task.replayed \
         task.queued task.started task.completed"
    );
    assert_eq!(
        scene::run_history(store, run).await,
        "run.created run.started run.failed run.reopened run.started run.completed"
    );
});

on_both_stores!(a_fatal_failure_is_a_dead_letter_at_once, |test: TestStore| async move {
    let terms = terms();
    let task = claimed(&test.store, terms).await;
    let id = task.id;
    settle(&test.store, terms, vec![failed(task, Retry::Never)]).await;
    assert_eq!(scene::status(&test.store, id).await, TaskStatus::Failed);
    let purged = test
        .store
        .purge_dead_letters(DeadLetterChoice::Oldest { role: None, limit: 10 })
        .await
        .unwrap();
    assert_eq!(purged.task_ids, [id]);
    assert_eq!(scene::status(&test.store, id).await, TaskStatus::Failed);
});

on_both_stores!(a_worker_that_always_dies_leads_to_a_dead_letter, |test: TestStore| async move {
    let store = &test.store;
    let dying = ClaimTerms { lease: Duration::ZERO, ..terms() };
    let task = claimed(store, dying).await;
    assert_eq!(store.rescue_expired(scene::POLICY, 10).await.unwrap().retried, [task.id]);
    store.promote_due(10).await.unwrap();
    store.claim_tasks(vec![task.id], dying).await.unwrap();
    assert_eq!(store.rescue_expired(scene::POLICY, 10).await.unwrap().failed, [task.id]);
    let stored = store.find_task(task.id).await.unwrap().unwrap();
    assert_eq!(stored.error.map(|error| error.code), Some(FailureCode::LeaseExpired));
});

on_both_stores!(a_lease_that_lasts_is_not_rescued, |test: TestStore| async move {
    claimed(&test.store, terms()).await;
    assert_eq!(test.store.rescue_expired(scene::POLICY, 10).await.unwrap().retried, []);
});

on_both_stores!(a_failed_task_takes_its_dependents_along_and_back, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let (a, mut b, mut c) = (task("a"), task("b"), task("c"));
    b.depends_on = vec![a.id];
    c.depends_on = vec![b.id];
    let ids = [a.id, b.id, c.id];
    let run = start(store, vec![a, b, c]).await;
    let first = store.claim_tasks(vec![ids[0]], terms).await.unwrap().pop().unwrap();
    settle(store, terms, vec![failed(first, Retry::Never)]).await;
    for id in &ids[1..] {
        assert_eq!(scene::status(store, *id).await, TaskStatus::Cancelled);
    }
    assert_eq!(scene::run_status(store, run).await, RunStatus::Failed);
    assert!(matches!(store.retry_task(ids[0]).await.unwrap(), Changed::Done { .. }));
    for id in &ids[1..] {
        assert_eq!(scene::status(store, *id).await, TaskStatus::Pending);
    }
    assert_eq!(scene::work_off(store).await, ids);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
});

on_both_stores!(a_partial_replay_leaves_what_still_cannot_be, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let (a, d, mut b) = (task("a"), task("d"), task("b"));
    b.depends_on = vec![a.id, d.id];
    let (a_id, d_id, b_id) = (a.id, d.id, b.id);
    let run = start(store, vec![a, d, b]).await;
    for id in [a_id, d_id] {
        let claimed = store.claim_tasks(vec![id], terms).await.unwrap().pop().unwrap();
        settle(store, terms, vec![failed(claimed, Retry::Never)]).await;
    }
    assert_eq!(store.retry_task(b_id).await.unwrap(), Changed::NotNow(TaskStatus::Cancelled));
    store.replay_dead_letters(DeadLetterChoice::These(vec![a_id])).await.unwrap();
    assert_eq!(scene::work_off(store).await, [a_id]);
    assert_eq!(scene::status(store, b_id).await, TaskStatus::Cancelled);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Failed);
    store.replay_dead_letters(DeadLetterChoice::These(vec![d_id])).await.unwrap();
    assert_eq!(scene::work_off(store).await, [d_id, b_id]);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
});

on_both_stores!(a_paused_run_hides_no_retry_of_another, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let (held, free) = (claimed(store, terms).await, claimed(store, terms).await);
    let (held_id, held_run, free_id) = (held.id, held.run_id, free.id);
    settle(store, terms, vec![failed(held, Retry::Backoff)]).await;
    settle(store, terms, vec![failed(free, Retry::Backoff)]).await;
    store.pause_run(held_run).await.unwrap();
    assert!(matches!(store.retry_task(held_id).await.unwrap(), Changed::Done { .. }));
    let promoted = testkit::eventually("the backoff ends", || async {
        Some(store.promote_due(1).await.unwrap()).filter(|rows| !rows.is_empty())
    })
    .await;
    assert_eq!(promoted[0].message.task_id, free_id);
    assert_eq!(store.promote_due(1).await.unwrap(), []);
    assert_eq!(scene::status(store, held_id).await, TaskStatus::Retrying);
});

on_both_stores!(fewer_attempts_than_were_made_leave_one, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let first = claimed(store, terms).await;
    let id = first.id;
    settle(store, terms, vec![failed(first, Retry::Backoff)]).await;
    let patch =
        store::tasks::TaskPatch { max_attempts: Some(1), ..store::tasks::TaskPatch::default() };
    let Changed::Done { now, .. } = store.update_task(id, patch).await.unwrap() else {
        panic!("a retrying task can be changed");
    };
    assert_eq!(now.max_attempts, Some(2));
    store.retry_task(id).await.unwrap();
    assert_eq!(store.claim_next_tasks(vec![now.role], 10, terms).await.unwrap().len(), 1);
});
