//! A delivery counts once, however often it comes.

use futures_util::future::join_all;
use testkit::{TestStore, on_both_stores};

use crate::receiver::{Receiver, labeled};

on_both_stores!(fifty_copies_at_once_to_two_replicas_start_one_run, |test: TestStore| async move {
    let replicas = [Receiver::start(&test.store).await, Receiver::start(&test.store).await];
    let payload = labeled(7, "ai-task");
    let copies = (0..50).map(|copy| replicas[copy % 2].deliver("same", "issues", &payload));
    let answers = join_all(copies).await;
    let mut statuses: Vec<_> = answers.iter().map(|it| (it.status, it.field("status"))).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], (202, "accepted"));
    assert_eq!(statuses[1..], [(202, "duplicate"); 49]);
    assert_eq!(replicas[0].deliveries().await, ["same issues accepted"]);
    assert_eq!(replicas[0].runs().await.len(), 1);
});

on_both_stores!(a_flood_with_duplicates_leaves_one_row_for_each_id, |test: TestStore| async move {
    let receiver = Receiver::start(&test.store).await;
    let payloads: Vec<_> = (0..40).map(|number| labeled(number, "wish")).collect();
    let deliveries = (0..200).map(|index: usize| {
        let which = index * 7 % 40;
        let (receiver, payload) = (&receiver, &payloads[which]);
        async move { receiver.deliver(&format!("id-{which}"), "issues", payload).await.status }
    });
    assert!(join_all(deliveries).await.into_iter().all(|status| status == 202));
    assert_eq!((receiver.deliveries().await.len(), receiver.runs().await.len()), (40, 40));
});
