//! Taking a stored delivery again.

use domain::delivery::{Delivery, DeliveryStatus};
use store::{Store, deliveries::Redelivery};
use testkit::{TestStore, eventually, on_both_stores};

use crate::receiver::{Receiver, labeled};

/// The delivery once it has been taken again.
async fn taken_again(store: &Store, id: &str) -> Delivery {
    eventually("the delivery is taken again", || async {
        let delivery = store.find_delivery(id.to_owned()).await.unwrap().unwrap().delivery;
        (delivery.status != DeliveryStatus::Redelivering).then_some(delivery)
    })
    .await
}

on_both_stores!(
    a_delivery_that_somebody_asks_for_starts_another_run_once,
    |test: TestStore| async move {
        let quick = ["--webhook-redelivery-ms", "20"];
        let replicas = [
            Receiver::start_with(&test.store, &quick).await,
            Receiver::start_with(&test.store, &quick).await,
        ];
        let answer = replicas[0].deliver("d-1", "issues", &labeled(7, "ai-task")).await;

        let asked = test.store.request_redelivery("d-1".to_owned()).await.unwrap();
        assert!(matches!(asked, Redelivery::Requested(_)), "{asked:?}");
        let delivery = taken_again(&test.store, "d-1").await;

        assert_eq!((delivery.status, delivery.redeliveries), (DeliveryStatus::Accepted, 1));
        let runs = replicas[0].runs().await;
        assert_eq!(runs.len(), 2);
        assert_eq!(delivery.run_id, Some(runs[0].id));
        assert_ne!(answer.field("runId"), runs[0].id.to_string());
        assert_eq!(
            replicas[0].deliver("d-1", "issues", &labeled(7, "ai-task")).await.field("status"),
            "duplicate"
        );
    }
);

on_both_stores!(
    the_rules_of_today_decide_about_a_delivery_of_yesterday,
    |test: TestStore| async move {
        let yesterday = Receiver::start_with(
            &test.store,
            &["--task-labels", "grow", "--webhook-redelivery-ms", "3600000"],
        )
        .await;
        assert_eq!(
            yesterday.deliver("d-1", "issues", &labeled(7, "grow")).await.field("status"),
            "accepted"
        );
        assert_eq!(
            yesterday.deliver("d-2", "watch", &labeled(7, "grow")).await.field("status"),
            "skipped"
        );
        drop(yesterday);

        let today = Receiver::start_with(&test.store, &["--webhook-redelivery-ms", "20"]).await;
        for id in ["d-1", "d-2"] {
            test.store.request_redelivery(id.to_owned()).await.unwrap();
        }
        assert_eq!(taken_again(&test.store, "d-1").await.status, DeliveryStatus::Accepted);
        let newest = today.runs().await.remove(0);
        assert_eq!(newest.workflow, domain::workflow::Workflow::Single);
        let skipped = taken_again(&test.store, "d-2").await;
        assert_eq!(skipped.status, DeliveryStatus::Skipped);
        assert_eq!(skipped.reason.as_deref(), Some("no rule starts work for the event `watch`"));
    }
);
