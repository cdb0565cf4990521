//! A store that does not answer: no delivery is ever said to be taken.

use clap::Parser;
use futures_util::future::join_all;
use store::{DatabaseArgs, Store};
use testkit::{TestStore, on_both_stores};

use crate::receiver::{Receiver, labeled};

#[derive(Parser)]
struct Database {
    #[command(flatten)]
    args: DatabaseArgs,
}

async fn unreachable_store() -> Store {
    // Nobody listens on port 1.
    let url = "postgres://postgres@127.0.0.1:1/nowhere";
    let arguments =
        ["test", "--task-store", "postgres", "--database-url", url, "--database-wait-ms", "300"];
    Store::connect(&Database::try_parse_from(arguments).unwrap().args).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_the_sender_is_told_to_come_again() {
    let receiver = Receiver::start(&unreachable_store().await).await;
    let payload = labeled(7, "ai-task");
    let ids: Vec<String> = (0..10).map(|number| format!("d-{number}")).collect();
    let answers = join_all(ids.iter().map(|id| receiver.deliver(id, "issues", &payload))).await;
    for answer in answers {
        assert_eq!((answer.status, answer.field("code")), (503, "store_unavailable"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_an_unsigned_delivery_is_refused_all_the_same() {
    let receiver = Receiver::start(&unreachable_store().await).await;
    let headers = [("X-GitHub-Event", "ping".to_owned()), ("X-GitHub-Delivery", "d".to_owned())];
    assert_eq!(receiver.post(&headers, b"{}").await.status, 401);
}

on_both_stores!(
    more_than_may_wait_are_told_to_come_again_and_what_was_accepted_is_there,
    |test: TestStore| async move {
        let few =
            ["--webhook-batch", "1", "--webhook-batches-in-flight", "1", "--webhook-waiting", "1"];
        let receiver = Receiver::start_with(&test.store, &few).await;
        let ids: Vec<String> = (0..60).map(|number| format!("d-{number}")).collect();
        let payload = labeled(7, "wish");
        let answers = join_all(ids.iter().map(|id| receiver.deliver(id, "issues", &payload))).await;
        let accepted = answers.iter().filter(|it| it.status == 202).count();
        assert!(answers.iter().all(|it| matches!(it.status, 202 | 503)), "{answers:?}");
        assert_eq!(receiver.deliveries().await.len(), accepted);
        assert_eq!(receiver.runs().await.len(), accepted);
    }
);
