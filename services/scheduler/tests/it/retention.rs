//! What has been kept long enough.

use std::time::Duration;

use domain::{delivery::NewDelivery, role::Role};
use store::runs::{Creation, Guard};
use testkit::{TestStore, eventually, on_both_stores};

use crate::bench::{Bench, claim, completed, create, hasty, settle, task_of};

fn delivery() -> NewDelivery {
    NewDelivery {
        id: "d-1".to_owned(),
        event: "ping".to_owned(),
        action: None,
        repository: None,
        sender: None,
        installation_id: None,
        payload: b"{}".to_vec(),
        skip_reason: Some("a ping starts no work".to_owned()),
    }
}

on_both_stores!(
    ended_runs_and_old_deliveries_are_removed_and_live_runs_stay,
    |test: TestStore| async move {
        let (ended, _) = create(&test.store, task_of(Role::Tester)).await;
        let claimed = claim(&test.store, ended.id, Duration::from_secs(60)).await;
        settle(&test.store, claimed, completed()).await;
        let (live, _) = create(&test.store, task_of(Role::Tester)).await;
        let creation =
            Creation { guard: Guard::Delivery(delivery()), runs: Vec::new(), tasks: Vec::new() };
        test.store.create(vec![creation]).await.unwrap();

        let mut settings = hasty();
        settings.retention.runs = Duration::ZERO;
        settings.retention.deliveries = Duration::ZERO;
        let _bench = Bench::start(&test.store, settings).await;
        eventually("both are gone", || async {
            let run = test.store.find_run(ended.run_id).await.unwrap();
            let delivery = test.store.find_delivery("d-1".to_owned()).await.unwrap();
            (run.is_none() && delivery.is_none()).then_some(())
        })
        .await;
        assert!(test.store.find_task(ended.id).await.unwrap().is_none());
        assert!(test.store.find_task(live.id).await.unwrap().is_some());
    }
);
