use std::time::Duration;

use testkit::{TestStore, on_both_stores};

use crate::scene::{self, start, task, terms};

on_both_stores!(a_message_left_behind_is_found_and_forgotten, |test: TestStore| async move {
    let store = &test.store;
    let one = task("one");
    let id = one.id;
    start(store, vec![one]).await;
    assert_eq!(store.left_behind(Duration::from_secs(60), 10).await.unwrap(), []);
    let left = testkit::eventually("the row is old enough", || async {
        Some(store.left_behind(Duration::ZERO, 10).await.unwrap()).filter(|rows| !rows.is_empty())
    })
    .await;
    assert_eq!(left.iter().map(|row| row.message.task_id).collect::<Vec<_>>(), [id]);
    let gauges = store.gauges().await.unwrap();
    assert_eq!((gauges.outbox_rows, gauges.tasks.len()), (1, 1));
    store.forget_published(left.iter().map(|row| row.id).collect()).await.unwrap();
    assert_eq!(store.left_behind(Duration::ZERO, 10).await.unwrap(), []);
});

on_both_stores!(what_nobody_claims_is_announced_again, |test: TestStore| async move {
    let store = &test.store;
    let (waiting, running) = (task("waiting"), task("running"));
    let (waiting_id, running_id) = (waiting.id, running.id);
    start(store, vec![waiting, running]).await;
    store.claim_tasks(vec![running_id], terms()).await.unwrap();
    assert_eq!(store.announce_again(Duration::from_secs(60), 10).await.unwrap(), []);
    let again = testkit::eventually("the announcement is old enough", || async {
        Some(store.announce_again(Duration::ZERO, 10).await.unwrap())
            .filter(|rows| !rows.is_empty())
    })
    .await;
    assert_eq!(again.iter().map(|row| row.message.task_id).collect::<Vec<_>>(), [waiting_id]);
    assert_eq!(scene::work_off(store).await, [waiting_id]);
});
