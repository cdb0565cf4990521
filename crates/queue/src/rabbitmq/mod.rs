//! The queue on RabbitMQ.
//!
//! lapin's own recovery is not used: when a broker was killed, it left consumers silently dead in half of the trials. Our
//! rule instead: upon any doubt drop everything and build it anew.
//!
//! - A [`link::Link`] is one connection with the queues declared, and the watch over it.
//! - [`supervise::supervise`] keeps one link alive: opens it, lets it serve, and opens another when there is trouble.
//! - The [`publisher`] serves one link, each subscription of the [`consumer`] another.
//!
//! What counts as trouble: any error, a consumer that ends, a call that takes longer than its limit, a silent broker
//! (heartbeat), and a queue that is not there when looked for, which happens every 30 s.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{message::Message, role::Role};
use lapin::uri::AMQPUri;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    limit::Limit,
    publisher::{PublishServer, Publisher},
    supervise::supervise,
    topology::Topology,
};
use crate::{
    Error, PublishError, Queue, QueueArgs, QueueStatus, Subscription, metrics,
    status::{Health, Purpose},
};

mod address;
mod backoff;
mod consumer;
mod limit;
mod link;
mod outstanding;
mod publisher;
mod session;
mod supervise;
mod topology;

pub(crate) use self::session::Session;

/// See the module.
pub(crate) struct RabbitMqQueue {
    broker: Arc<Broker>,
    publisher: Publisher,
    closing: CancellationToken,
    supervisors: TaskTracker,
}

/// Which broker, what is there, and how patient we are with it.
struct Broker {
    uri: AMQPUri,
    /// Under which name the broker lists our connections.
    service: String,
    topology: Topology,
    /// For one call, and for one batch that is published.
    limit: Limit,
    patience: Duration,
    check_interval: Duration,
    reconnect: (Duration, Duration),
    publish_channels: usize,
    health: Health,
}

impl RabbitMqQueue {
    /// Begins to connect in the background.
    pub(crate) fn start(args: &QueueArgs, service: &str) -> Result<Self, Error> {
        let min = Duration::from_millis(args.queue_reconnect_min_ms);
        let broker = Arc::new(Broker {
            uri: address::parse(&args.amqp_url, args.queue_heartbeat_seconds)?,
            service: service.to_owned(),
            topology: Topology::new(args),
            limit: Limit(args.call_limit()),
            patience: args.patience(),
            check_interval: args.check_interval(),
            reconnect: (min, Duration::from_millis(args.queue_reconnect_max_ms).max(min)),
            publish_channels: usize::from(args.queue_publish_channels),
            health: Health::default(),
        });
        let closing = CancellationToken::new();
        let supervisors = TaskTracker::new();
        let (server, state) = PublishServer::new();
        supervisors.spawn(supervise(
            broker.clone(),
            broker.health.link(Purpose::Publish),
            closing.clone(),
            server,
        ));
        let publisher = Publisher::new(broker.clone(), state);
        Ok(Self { broker, publisher, closing, supervisors })
    }
}

#[async_trait]
impl Queue for RabbitMqQueue {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let outcomes = if self.closing.is_cancelled() {
            vec![Err(PublishError::Closed); messages.len()]
        } else {
            self.publisher.publish(messages).await
        };
        metrics::published(&outcomes);
        outcomes
    }

    async fn subscribe(&self, roles: &[Role], prefetch: u16) -> Box<dyn Subscription> {
        let closing = self.closing.child_token();
        let (server, deliveries) =
            consumer::ConsumeServer::new(self.broker.clone(), roles, prefetch.max(1));
        let health = self.broker.health.link(Purpose::Consume);
        let supervisor =
            self.supervisors.spawn(supervise(self.broker.clone(), health, closing.clone(), server));
        Box::new(consumer::RabbitMqSubscription::new(
            self.broker.clone(),
            deliveries,
            closing,
            supervisor,
        ))
    }

    fn status(&self) -> QueueStatus {
        self.broker.health.status()
    }

    async fn depths(&self) -> Result<Vec<(Role, u64)>, Error> {
        if self.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        self.publisher.depths().await
    }

    async fn close(&self) {
        self.closing.cancel();
        self.supervisors.close();
        // A supervisor that opens a link finds out at once, one that closes a link has its own limit.
        if tokio::time::timeout(self.broker.limit.0 * 2, self.supervisors.wait()).await.is_err() {
            tracing::warn!("The queue's connections did not end in time and were left behind");
        }
    }
}
