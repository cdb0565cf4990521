//! Connections that break, hang, or never come to be.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{message::Message, role::Role};
use queue::{Disposition, Error, PublishError, Queue, QueueStatus, Subscription};
use testbed::{Direction, FaultProxy, Rule};
use tokio::sync::{mpsc, oneshot};

use crate::support::{
    SOON, and_delete_queues, behind_proxy, bodies, degraded_soon, message, messages, nobody,
    publish, rabbitmq, receive, settle_all, up_soon,
};

const ROLE: Role = Role::Implementer;

#[tokio::test]
async fn without_a_broker_it_starts_at_once_and_says_what_is_wrong() {
    let mut args = rabbitmq(&["--queue-patience-ms", "100"]);
    args.amqp_url = format!("amqp://{}", nobody().await).into();
    let began = Instant::now();
    let queue = queue::connect(&args, "test").await.unwrap();
    let _subscription = queue.subscribe(&[ROLE], 1).await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());

    degraded_soon(&*queue, "could not connect to the broker").await;
    assert_eq!(queue.publish(&messages(ROLE, 2)).await, vec![Err(PublishError::NotConnected); 2]);
    assert!(matches!(queue.depths().await, Err(Error::NotConnected)));
    queue.close().await;
}

#[tokio::test]
async fn a_url_that_is_none_is_an_error_at_once() {
    let mut args = rabbitmq(&[]);
    args.amqp_url = "postgres://me:hunter2@127.0.0.1".into();
    let error = queue::connect(&args, "test").await.err().unwrap();
    assert!(matches!(error, Error::Url), "{error}");
}

#[tokio::test]
async fn all_that_was_confirmed_is_delivered_although_connections_are_cut_under_load() {
    let mut args = rabbitmq(&[]);
    and_delete_queues(&args.clone(), async {
        let proxy = behind_proxy(&mut args).await;
        let queue = queue::connect(&args, "test").await.unwrap();
        let subscription = queue.subscribe(&[ROLE], 50).await;
        let (received, mut deliveries) = mpsc::unbounded_channel();
        let consumer = tokio::spawn(consume(subscription, received));
        let (stop, stopped) = oneshot::channel();
        let publisher = tokio::spawn(publish_until(queue.clone(), stopped));

        let mut seen = HashSet::new();
        for _ in 0..5 {
            // Cut in the middle of work: when the consumer has got something new over the present connections.
            for _ in 0..300 {
                seen.insert(
                    tokio::time::timeout(SOON, deliveries.recv())
                        .await
                        .expect("it goes on")
                        .unwrap(),
                );
            }
            while deliveries.try_recv().map(|it| seen.insert(it)).is_ok() {}
            proxy.cut();
        }
        stop.send(()).unwrap();
        let confirmed = publisher.await.unwrap();
        while !confirmed.is_subset(&seen) {
            seen.insert(
                tokio::time::timeout(SOON, deliveries.recv()).await.expect("all comes").unwrap(),
            );
        }
        up_soon(&*queue).await;
        queue.close().await;
        consumer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_hangs_is_given_up_and_returned_to() {
    let mut args = rabbitmq(&["--queue-heartbeat-seconds", "1", "--queue-call-limit-ms", "1000"]);
    and_delete_queues(&args.clone(), async {
        let proxy = behind_proxy(&mut args).await;
        let queue = queue::connect(&args, "test").await.unwrap();
        let mut subscription = queue.subscribe(&[ROLE], 10).await;
        up_soon(&*queue).await;
        let first = message(ROLE);
        publish(&*queue, &[first]).await;
        let unsettled = receive(&mut *subscription, 1).await;

        stall(&proxy);
        let began = Instant::now();
        assert!(queue.publish(&[message(ROLE)]).await[0].is_err());
        assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
        // Twice the heartbeat and some time to notice.
        degraded_soon(&*queue, "consume").await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        // What came over a connection that is gone cannot be settled.
        assert_eq!(
            subscription
                .settle(unsettled.into_iter().map(|it| (it, Disposition::Ack)).collect())
                .await,
            0
        );

        proxy.heal();
        up_soon(&*queue).await;
        let again = receive(&mut *subscription, 10).await;
        assert!(bodies(&again).contains(&first) && again[0].redelivered);
        settle_all(&mut *subscription, again, Disposition::Ack).await;
        queue.close().await;
    })
    .await;
}

#[tokio::test]
async fn closing_does_not_wait_for_a_broker_that_hangs() {
    let mut args = rabbitmq(&["--queue-call-limit-ms", "500"]);
    and_delete_queues(&args.clone(), async {
        let proxy = behind_proxy(&mut args).await;
        let queue = queue::connect(&args, "test").await.unwrap();
        let subscription = queue.subscribe(&[ROLE], 10).await;
        up_soon(&*queue).await;
        stall(&proxy);

        let began = Instant::now();
        subscription.close().await;
        queue.close().await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    })
    .await;
}

#[tokio::test]
async fn after_its_close_a_subscription_no_longer_counts_for_the_status() {
    let args = rabbitmq(&[]);
    and_delete_queues(&args, async {
        let queue = queue::connect(&args, "test").await.unwrap();
        up_soon(&*queue).await;
        let subscription = queue.subscribe(&[ROLE], 10).await;
        assert!(matches!(queue.status(), QueueStatus::Degraded { .. }), "it is not connected yet");
        subscription.close().await;
        assert_eq!(queue.status(), QueueStatus::Up);
        queue.close().await;
    })
    .await;
}

/// From now on nothing gets through, although connections can be made: a broker that hangs.
fn stall(proxy: &FaultProxy) {
    for direction in Direction::BOTH {
        proxy.set(direction, Rule::Stall);
    }
}

/// Publishes batches until told to stop; returns what was confirmed. What was not is not published again, so that a
/// confirm too many would show as a message that never comes.
pub(crate) async fn publish_until(
    queue: Arc<dyn Queue>,
    mut stop: oneshot::Receiver<()>,
) -> HashSet<Message> {
    let mut confirmed = HashSet::new();
    while stop.try_recv().is_err() {
        let batch = messages(ROLE, 20);
        let began = Instant::now();
        let outcomes = queue.publish(&batch).await;
        assert!(
            began.elapsed() < Duration::from_millis(5_500),
            "publishing took {:?}",
            began.elapsed()
        );
        confirmed.extend(
            batch.iter().zip(&outcomes).filter(|(_, it)| it.is_ok()).map(|(message, _)| *message),
        );
    }
    confirmed
}

/// Receives and acknowledges until the queue is closed, and tells what it got.
pub(crate) async fn consume(
    mut subscription: Box<dyn Subscription>,
    received: mpsc::UnboundedSender<Message>,
) {
    while let Some(deliveries) = subscription.receive(20).await {
        for message in bodies(&deliveries) {
            let _ = received.send(message);
        }
        subscription
            .settle(deliveries.into_iter().map(|it| (it, Disposition::Ack)).collect())
            .await;
    }
}
