//! Subscriptions: consumers that survive their connections.

use std::sync::Arc;

use async_trait::async_trait;
use domain::role::Role;
use futures_util::{
    StreamExt,
    future::ready,
    stream::{BoxStream, once, select_all},
};
use lapin::{
    Connection, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Broker, link::Link, session::Session, supervise::Serve};
use crate::{
    Delivery, Disposition, Error, Malformed, Receipt, Subscription, metrics, status::LinkHealth,
};

/// The largest body that may be a message of ours, in bytes; they have about 200.
const MAX_BODY_BYTES: usize = 4096;

/// The supervisor's side: consumes and hands on.
pub(super) struct ConsumeServer {
    broker: Arc<Broker>,
    roles: Vec<Role>,
    prefetch: u16,
    deliveries: mpsc::Sender<Delivery>,
}

impl ConsumeServer {
    pub(super) fn new(
        broker: Arc<Broker>,
        roles: &[Role],
        prefetch: u16,
    ) -> (Self, mpsc::Receiver<Delivery>) {
        // As much as one session can hold. Deliveries of sessions that ended may be in the way, until somebody receives.
        let (deliveries, received) = mpsc::channel(usize::from(prefetch) * roles.len().max(1));
        (Self { broker, roles: roles.to_vec(), prefetch, deliveries }, received)
    }

    /// One channel with one consumer for each role.
    async fn consume(
        &self,
        connection: &Connection,
    ) -> Result<(Arc<Session>, Vec<(Role, Consumer)>), Error> {
        let limit = self.broker.limit;
        let channel = limit.call("open a channel", connection.create_channel()).await?;
        // Quorum queues know a limit for each consumer only, not for the channel (`global`).
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions { global: false });
        limit.call("set the prefetch", qos).await?;
        let mut consumers = Vec::with_capacity(self.roles.len());
        for role in &self.roles {
            let queue = self.broker.topology.task_queue(*role);
            // The tag is left to the broker; acknowledgements are ours; every other worker may consume as well.
            let options = BasicConsumeOptions {
                no_local: false,
                no_ack: false,
                exclusive: false,
                nowait: false,
            };
            let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
            consumers.push((*role, limit.call("consume", consuming).await?));
        }
        Ok((Session::new(channel), consumers))
    }
}

#[async_trait]
impl Serve for ConsumeServer {
    async fn serve(&mut self, link: &mut Link, health: &LinkHealth) -> Error {
        let (session, consumers) = match self.consume(&link.connection()).await {
            Ok(consuming) => consuming,
            Err(error) => return error,
        };
        // Also when this is dropped half way.
        let _over = session.ended().clone().drop_guard();
        health.up();
        faults::point!("queue.consumer.rebuilt");
        tokio::select! {
            trouble = link.trouble(health, &self.roles) => trouble,
            trouble = hand_on(&session, consumers, &self.deliveries) => trouble,
            () = session.ended().cancelled() => Error::Doubt { reason: "a delivery could not be settled" },
        }
    }
}

/// Hands on what the consumers get, until one of them ends.
async fn hand_on(
    session: &Arc<Session>,
    consumers: Vec<(Role, Consumer)>,
    deliveries: &mpsc::Sender<Delivery>,
) -> Error {
    let mut merged = select_all(consumers.into_iter().map(with_end));
    while let Some((role, item)) = merged.next().await {
        let delivery = match item {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Error::broker("consume", error),
            None => return Error::ConsumerEnded { role },
        };
        session.delivered(delivery.delivery_tag);
        let delivery = Delivery {
            body: parse(&delivery.data),
            role,
            redelivered: delivery.redelivered,
            receipt: Receipt::RabbitMq { session: session.clone(), tag: delivery.delivery_tag },
        };
        if deliveries.send(delivery).await.is_err() {
            return Error::Closed;
        }
    }
    // No role, no consumer: there is nothing to wait for but the end of the connection.
    std::future::pending().await
}

/// A merged stream forgets those that ended; this makes each end seen.
fn with_end(
    (role, consumer): (Role, Consumer),
) -> BoxStream<'static, (Role, Option<lapin::Result<lapin::message::Delivery>>)> {
    consumer.map(move |item| (role, Some(item))).chain(once(ready((role, None)))).boxed()
}

fn parse(body: &[u8]) -> Result<domain::message::Message, Malformed> {
    let size_bytes = body.len();
    if size_bytes > MAX_BODY_BYTES {
        return Err(Malformed::TooLarge { size_bytes });
    }
    serde_json::from_slice(body).map_err(|source| Malformed::NotAMessage { size_bytes, source })
}

/// The consumer's side.
pub(super) struct RabbitMqSubscription {
    broker: Arc<Broker>,
    deliveries: mpsc::Receiver<Delivery>,
    closing: CancellationToken,
    supervisor: JoinHandle<()>,
}

impl RabbitMqSubscription {
    pub(super) const fn new(
        broker: Arc<Broker>,
        deliveries: mpsc::Receiver<Delivery>,
        closing: CancellationToken,
        supervisor: JoinHandle<()>,
    ) -> Self {
        Self { broker, deliveries, closing, supervisor }
    }
}

#[async_trait]
impl Subscription for RabbitMqSubscription {
    async fn receive(&mut self, max: usize) -> Option<Vec<Delivery>> {
        loop {
            let mut received = Vec::new();
            if self.deliveries.recv_many(&mut received, max.max(1)).await == 0 {
                return None;
            }
            received.retain(|it| {
                session_of(it).is_some_and(|(session, _)| !session.ended().is_cancelled())
            });
            if !received.is_empty() {
                metrics::delivered(received.len());
                faults::point!("queue.delivery.received");
                return Some(received);
            }
        }
    }

    async fn settle(&mut self, deliveries: Vec<(Delivery, Disposition)>) -> usize {
        // Nearly always one session; two right after a connection was lost.
        let mut sessions: Vec<(&Arc<Session>, Vec<(u64, Disposition)>)> = Vec::with_capacity(1);
        for (delivery, disposition) in &deliveries {
            let Some((session, tag)) = session_of(delivery) else { continue };
            match sessions.iter_mut().find(|(it, _)| Arc::ptr_eq(it, session)) {
                Some((_, tags)) => tags.push((tag, *disposition)),
                None => sessions.push((session, vec![(tag, *disposition)])),
            }
        }
        let mut settled = 0;
        for (session, tags) in sessions {
            settled += session.settle(tags, self.broker.limit).await;
        }
        settled
    }

    async fn close(mut self: Box<Self>) {
        self.closing.cancel();
        if tokio::time::timeout(self.broker.limit.0 * 2, &mut self.supervisor).await.is_err() {
            tracing::warn!("A subscription did not end in time and was left behind");
        }
    }
}

impl Drop for RabbitMqSubscription {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

fn session_of(delivery: &Delivery) -> Option<(&Arc<Session>, u64)> {
    match &delivery.receipt {
        Receipt::RabbitMq { session, tag } => Some((session, *tag)),
        Receipt::InProcess(_) => None,
    }
}
