//! A pool whose every connection is stuck, and a database that goes away in the middle.

use std::time::{Duration, Instant};

use domain::delivery::DeliveryStatus;
use futures_util::future::join_all;
use store::Store;
use testkit::{Proxy, TestStore, eventually};

use crate::{
    client::Answer,
    receiver::{Receiver, labeled},
};

/// Every caller has an answer by then.
const PATIENCE: Duration = Duration::from_secs(2);

async fn deliver_all(receiver: &Receiver, ids: &[String]) -> Vec<(Answer, Duration)> {
    let payload = labeled(7, "wish");
    join_all(ids.iter().map(async |id| {
        let begun = Instant::now();
        let answer = receiver.deliver(id, "issues", &payload).await;
        (answer, begun.elapsed())
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_every_connection_stuck_is_told_so_in_two_seconds() {
    let test = TestStore::postgres().await;
    let mut args = test.args.clone();
    (args.database_pool_size, args.database_wait_ms) = (4, usual_wait_ms());
    let store = Store::connect(&args).await.unwrap();
    // Another look for redeliveries would only hold a connection more.
    let receiver = Receiver::start_with(&store, &["--webhook-redelivery-ms", "3600000"]).await;
    assert_eq!(receiver.deliver("before", "issues", &labeled(7, "wish")).await.status, 202);

    let lock = test.hold("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE").await;
    let stuck: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.find_delivery("before".to_owned()).await })
        })
        .collect();
    eventually("all are stuck", async || (store.pool_state().in_use == 4).then_some(())).await;

    let ids: Vec<String> = (0..200).map(|number| format!("d-{number}")).collect();
    for (answer, took) in deliver_all(&receiver, &ids).await {
        assert_eq!((answer.status, answer.field("code")), (503, "store_unavailable"), "{answer:?}");
        assert!(answer.header("retry-after").is_some_and(|it| it.parse::<u64>().unwrap() > 0));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(took < PATIENCE, "{took:?}");
    }

    drop(lock);
    for (answer, took) in deliver_all(&receiver, &ids).await {
        // One that had begun when its sender was answered may be done by now: then this is its second.
        assert_eq!(answer.status, 202, "{answer:?}");
        assert!(matches!(answer.field("status"), "accepted" | "duplicate"), "{answer:?}");
        assert!(took < PATIENCE, "{took:?}");
    }
    for reader in stuck {
        let found = reader.await.unwrap().unwrap().unwrap();
        assert_eq!(found.delivery.status, DeliveryStatus::Accepted);
    }
    assert_eq!(test.number("SELECT count(*) FROM deliveries").await, 201);
}

/// What the setting is where nobody sets it.
fn usual_wait_ms() -> u64 {
    use clap::Parser;
    webhook_ingest::Config::parse_from(["webhook-ingest"]).database.database_wait_ms
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_delivery_is_said_to_be_taken_that_has_no_row() {
    let test = TestStore::postgres().await;
    let proxy = Proxy::to(&test).await;
    let mut args = test.args.clone();
    args.database_url = Some(proxy.url(&test));
    args.database_wait_ms = 300;
    let receiver = Receiver::start(&Store::connect(&args).await.unwrap()).await;

    // Eight senders, who each send until they hear that it is taken, while the database goes away again and again.
    let sender = async |which: usize| {
        let mut refused = 0;
        for number in 0..40 {
            let id = format!("d-{which}-{number}");
            loop {
                let answer = receiver.deliver(&id, "issues", &labeled(7, "wish")).await;
                if answer.status == 202 {
                    break;
                }
                assert_eq!((answer.status, answer.field("code")), (503, "store_unavailable"));
                refused += 1;
            }
            let row = format!("SELECT count(*) FROM deliveries WHERE id = '{id}'");
            assert_eq!(test.number(&row).await, 1, "{id} was said to be taken");
        }
        refused
    };
    let outages = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            proxy.cut();
            tokio::time::sleep(Duration::from_millis(250)).await;
            proxy.mend();
        }
    };
    let (refused, ()) = tokio::join!(join_all((0..8).map(sender)), outages);
    assert!(refused.iter().sum::<i32>() > 0, "the database was away for somebody");
    let rows = test.number("SELECT count(*) FROM deliveries").await;
    let runs = test.number("SELECT count(*) FROM runs").await;
    assert_eq!((rows, runs), (320, 320));
}
