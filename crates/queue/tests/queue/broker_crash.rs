//! A broker of one's own that is killed, and one that runs short of memory.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use domain::{message::Message, role::Role};
use queue::{DeadLettering, Disposition, PublishError, Queue, QueueArgs};
use testbed::RabbitMq;
use tokio::sync::{mpsc, oneshot};

use crate::{
    connection_loss::{consume, publish_until},
    support::{
        SOON, channel, degraded_soon, message, next_dead_letter, publish, rabbitmq, receive,
        settle_all, up_soon,
    },
};

/// Given by the design: how long after the port is open workers consume again.
const BACK_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn all_that_was_confirmed_is_delivered_although_the_broker_is_killed_three_times() {
    let mut broker = RabbitMq::start().await.unwrap();
    let mut args = rabbitmq(&[]);
    args.queue_reconnect_max_ms = 5_000;
    args.queue_dead_lettering = DeadLettering::AtLeastOnce;
    args.amqp_url = broker.url().into();
    let queue = queue::connect(&args, "test").await.unwrap();
    let subscription = queue.subscribe(&[Role::Implementer], 50).await;
    let (received, mut deliveries) = mpsc::unbounded_channel();
    let consumer = tokio::spawn(consume(subscription, received));
    let (stop, stopped) = oneshot::channel();
    let publisher = tokio::spawn(publish_until(queue.clone(), stopped));

    let mut seen = HashSet::new();
    for _ in 0..3 {
        collect(&mut deliveries, 300, SOON, &mut seen).await;
        broker.kill().await.unwrap();
        while deliveries.try_recv().map(|it| seen.insert(it)).is_ok() {}
        broker.start_again().await.unwrap();
        let opened = Instant::now();
        collect(&mut deliveries, 1, BACK_WITHIN, &mut seen).await;
        assert!(opened.elapsed() <= BACK_WITHIN, "{:?}", opened.elapsed());
    }
    stop.send(()).unwrap();
    let confirmed = publisher.await.unwrap();
    while !confirmed.is_subset(&seen) {
        collect(&mut deliveries, 1, SOON, &mut seen).await;
    }

    a_dead_letter_is_confirmed_by_its_queue(&*queue, &args).await;
    a_broker_short_of_memory_is_told_of_and_waited_for(&broker, &*queue).await;
    queue.close().await;
    consumer.await.unwrap();
}

async fn collect(
    deliveries: &mut mpsc::UnboundedReceiver<Message>,
    count: usize,
    limit: Duration,
    seen: &mut HashSet<Message>,
) {
    for _ in 0..count {
        seen.insert(
            tokio::time::timeout(limit, deliveries.recv()).await.expect("deliveries come").unwrap(),
        );
    }
}

async fn a_dead_letter_is_confirmed_by_its_queue(queue: &dyn Queue, args: &QueueArgs) {
    up_soon(queue).await;
    let mut subscription = queue.subscribe(&[Role::Tester], 1).await;
    let sent = message(Role::Tester);
    publish(queue, &[sent]).await;
    let received = receive(&mut *subscription, 1).await;
    settle_all(&mut *subscription, received, Disposition::DeadLetter).await;
    subscription.close().await;

    let (_connection, channel) = channel(args).await;
    let dead: Message = serde_json::from_slice(&next_dead_letter(&channel, args).await).unwrap();
    assert_eq!(dead, sent);
}

async fn a_broker_short_of_memory_is_told_of_and_waited_for(broker: &RabbitMq, queue: &dyn Queue) {
    up_soon(queue).await;
    broker.control(&["set_vm_memory_high_watermark", "0.0001"]).await.unwrap();
    // The broker blocks a connection when it publishes, and not before.
    let outcomes = queue.publish(&[message(Role::Tester)]).await;
    assert_eq!(outcomes, [Err(PublishError::Blocked)]);
    degraded_soon(queue, "the broker blocks publishers").await;
    let began = Instant::now();
    assert_eq!(queue.publish(&[message(Role::Tester)]).await, [Err(PublishError::Blocked)]);
    assert!(began.elapsed() < Duration::from_secs(1), "known to be blocked, it fails at once");

    broker.control(&["set_vm_memory_high_watermark", "0.6"]).await.unwrap();
    up_soon(queue).await;
    assert_eq!(queue.publish(&[message(Role::Tester)]).await, [Ok(())]);
}
