//! What the tests of the queue stand on.

use std::{net::SocketAddr, panic::AssertUnwindSafe, time::Duration};

use clap::Parser;
use domain::{
    ids::{RunId, TaskId},
    message::Message,
    role::Role,
};
use futures_util::FutureExt;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicGetOptions, ExchangeDeleteOptions, QueueDeleteOptions},
};
use queue::{DeadLettering, Delivery, Disposition, Queue, QueueArgs, QueueStatus, Subscription};
use secrecy::ExposeSecret;
use testbed::FaultProxy;
use url::Url;
use uuid::Uuid;

/// Longer than anything that is waited for takes, if it works at all.
pub(crate) const SOON: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    queue: QueueArgs,
}

/// Settings for RabbitMQ with names that only this test uses, and limits that suit a test. Queues come and go here, so
/// dead letters go the way that stands it; the broker that is killed tries the other way.
pub(crate) fn rabbitmq(more: &[&str]) -> QueueArgs {
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let own = ["test", "--task-queue", "rabbitmq", "--queue-prefix", &prefix];
    let mut args = Cli::parse_from(own.iter().chain(more)).queue;
    args.queue_reconnect_max_ms = 1_000;
    args.queue_dead_lettering = DeadLettering::AtMostOnce;
    args
}

/// Settings for the queue in this process.
pub(crate) fn in_process(more: &[&str]) -> QueueArgs {
    Cli::parse_from(["test", "--task-queue", "in-process"].iter().chain(more)).queue
}

/// Puts a proxy before the broker of `args`, whose URL is changed to lead to it.
pub(crate) async fn behind_proxy(args: &mut QueueArgs) -> FaultProxy {
    let mut url = Url::parse(args.amqp_url.expose_secret()).unwrap();
    let broker = (url.host_str().unwrap(), url.port().unwrap_or(5672));
    let broker = tokio::net::lookup_host(broker).await.unwrap().next().unwrap();
    let proxy = FaultProxy::before(broker).await.unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    args.amqp_url = url.to_string().into();
    proxy
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    testbed::free_address().await.unwrap()
}

/// Runs a test that uses queues of the broker, and deletes them whether it fails or not.
pub(crate) async fn and_delete_queues<T>(args: &QueueArgs, test: impl Future<Output = T>) -> T {
    let outcome = AssertUnwindSafe(test).catch_unwind().await;
    let (_connection, channel) = channel(args).await;
    for queue in queues(args) {
        channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    }
    let exchange = format!("{}.dead-letters", args.queue_prefix);
    channel
        .exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default())
        .await
        .unwrap();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A connection beside the queue, to do to the broker what the queue does not.
pub(crate) async fn channel(args: &QueueArgs) -> (Connection, Channel) {
    let url = args.amqp_url.expose_secret();
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Every queue of an installation.
fn queues(args: &QueueArgs) -> Vec<String> {
    let names = Role::ALL.iter().map(|role| role.name()).chain(["dead-letters"]);
    names.map(|name| format!("{}.tasks.{name}", args.queue_prefix)).collect()
}

pub(crate) fn queue_of(args: &QueueArgs, role: Role) -> String {
    format!("{}.tasks.{}", args.queue_prefix, role.name())
}

pub(crate) fn message(role: Role) -> Message {
    Message { task_id: TaskId::new(), run_id: RunId::new(), role, attempt: 1 }
}

pub(crate) fn messages(role: Role, count: usize) -> Vec<Message> {
    (0..count).map(|_| message(role)).collect()
}

/// Publishes, and all must be confirmed.
pub(crate) async fn publish(queue: &dyn Queue, messages: &[Message]) {
    assert_eq!(queue.publish(messages).await, vec![Ok(()); messages.len()]);
}

/// The next deliveries, up to `max`; there must be some soon.
pub(crate) async fn receive(subscription: &mut dyn Subscription, max: usize) -> Vec<Delivery> {
    let received = tokio::time::timeout(SOON, subscription.receive(max)).await;
    received.expect("a delivery comes soon").expect("the subscription is open")
}

/// Exactly `count` deliveries, in as many calls as it takes.
pub(crate) async fn receive_all(
    subscription: &mut dyn Subscription,
    count: usize,
) -> Vec<Delivery> {
    let mut received = Vec::new();
    while received.len() < count {
        received.extend(receive(subscription, count - received.len()).await);
    }
    received
}

/// Nothing comes. There is no event to wait for, so this is the one place that waits for time to pass.
pub(crate) async fn receive_nothing(subscription: &mut dyn Subscription) {
    let received = tokio::time::timeout(Duration::from_millis(300), subscription.receive(1)).await;
    assert!(received.is_err(), "unexpected: {received:?}");
}

pub(crate) async fn settle_all(
    subscription: &mut dyn Subscription,
    deliveries: Vec<Delivery>,
    disposition: Disposition,
) {
    let count = deliveries.len();
    let settled = deliveries.into_iter().map(|it| (it, disposition)).collect();
    assert_eq!(subscription.settle(settled).await, count);
}

pub(crate) fn bodies(deliveries: &[Delivery]) -> Vec<Message> {
    deliveries.iter().map(|it| *it.body.as_ref().expect("one of our messages")).collect()
}

/// Asks again and again until the status is as wanted, and returns it.
pub(crate) async fn status_soon(
    queue: &dyn Queue,
    wanted: impl Fn(&QueueStatus) -> bool,
) -> QueueStatus {
    let asking = async {
        loop {
            let status = queue.status();
            if wanted(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let Ok(status) = tokio::time::timeout(SOON, asking).await else {
        panic!("still {:?}", queue.status())
    };
    status
}

pub(crate) async fn up_soon(queue: &dyn Queue) {
    status_soon(queue, |it| *it == QueueStatus::Up).await;
}

/// The reason of a degradation that says `text`.
pub(crate) async fn degraded_soon(queue: &dyn Queue, text: &str) {
    let says = |it: &QueueStatus| matches!(it, QueueStatus::Degraded { reason, .. } if reason.contains(text));
    status_soon(queue, says).await;
}

/// Takes the next body from the dead letter queue; there must be one soon.
pub(crate) async fn next_dead_letter(channel: &Channel, args: &QueueArgs) -> Vec<u8> {
    let name = format!("{}.tasks.dead-letters", args.queue_prefix);
    let getting = async {
        loop {
            if let Some(got) =
                channel.basic_get(name.as_str().into(), BasicGetOptions::default()).await.unwrap()
            {
                got.ack(BasicAckOptions::default()).await.unwrap();
                return got.delivery.data;
            }
        }
    };
    tokio::time::timeout(SOON, getting).await.expect("a dead letter comes soon")
}
