//! The task queue: who needs a worker says so here, and a worker hears of it.
//!
//! Dramatis personae:
//! - A [`Message`] says that a task is ready. It carries ids only; the store is the truth, so a message may be lost,
//!   doubled or late without harm.
//! - A [`Queue`] takes messages and tells, one by one, whether they are safe ([`Queue::publish`]).
//! - A [`Subscription`] receives them as [`Delivery`]s, of which at most a given number is unsettled at any time.
//! - A [`Disposition`] is what became of a delivery: done with it, give it to another, or never again.
//!
//! ```text
//!  publish ──▶ ready ──receive──▶ unsettled ──Ack──▶ gone
//!                ▲                    │ ├────DeadLetter, or delivered too often──▶ dead letters
//!                └────Requeue, close, lost connection───┘
//! ```
//!
//! There are two implementations, one in this process's memory and one on RabbitMQ, and one suite of tests that both
//! pass. This is the only crate that knows AMQP.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use domain::{message::Message, role::Role};

mod args;
mod error;
mod metrics;
mod status;

mod in_process;
mod rabbitmq;

pub mod announcer;

pub use args::{DeadLettering, QueueArgs, QueueKind};
pub use error::{Error, Malformed, PublishError};
pub use status::QueueStatus;

/// Where messages wait for workers. Cheap to share; every method may be called from many tasks at once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Hands over messages and waits until it is known of each whether it is safe: on disk at a majority of the
    /// broker's nodes, or in this process's memory. The outcomes are in the order of the messages.
    ///
    /// Never takes longer than the call limit (5 s by default), for all messages together. An error means "not known to
    /// be safe": publish that message again later, which at worst doubles it.
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>>;

    /// Starts to receive what is meant for these roles. At most `prefetch` deliveries (at least 1) of each role are
    /// unsettled at any time. Without a connection, deliveries start when there is one.
    async fn subscribe(&self, roles: &[Role], prefetch: u16) -> Box<dyn Subscription>;

    /// Whether it works at this moment, or what is wrong and since when.
    fn status(&self) -> QueueStatus;

    /// How many messages of each role wait for a subscription, without those that are unsettled.
    async fn depths(&self) -> Result<Vec<(Role, u64)>, Error>;

    /// Ends every subscription, gives back what is unsettled, and lets go of the broker, within twice the call limit.
    /// What is published afterwards is refused.
    async fn close(&self);
}

/// One consumer's share of the messages. Dropping it is the same as closing it, without waiting for the end.
#[async_trait]
pub trait Subscription: Send {
    /// Waits until there is a delivery and returns up to `max` (at least 1) of those that are there. A lost connection
    /// is waited out. `None` only after the subscription or its queue was closed.
    ///
    /// Cancel-safe: a call that is dropped has taken nothing.
    async fn receive(&mut self, max: usize) -> Option<Vec<Delivery>>;

    /// Says what became of deliveries and returns for how many the broker was told. The others came over a connection
    /// that is gone and will be delivered again, or have been already.
    async fn settle(&mut self, deliveries: Vec<(Delivery, Disposition)>) -> usize;

    /// Ends it and gives back what is unsettled, so that another subscription receives it.
    async fn close(self: Box<Self>);
}

/// A message on loan: it is either settled or comes again.
#[derive(Debug)]
pub struct Delivery {
    /// What was published; an error if it is none of our messages. Dead-letter those: they never get better.
    pub body: Result<Message, Malformed>,
    /// Whose queue it came from.
    pub role: Role,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    receipt: Receipt,
}

/// How the implementation finds a delivery again when it is settled.
enum Receipt {
    InProcess(u64),
    RabbitMq { session: Arc<rabbitmq::Session>, tag: u64 },
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess(number) => write!(f, "InProcess({number})"),
            Self::RabbitMq { tag, .. } => write!(f, "RabbitMq({tag})"),
        }
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Dealt with, or of no interest any more: it is gone.
    Ack,
    /// Not dealt with: somebody shall receive it again, up to the delivery limit.
    Requeue,
    /// Nobody can deal with it: it is put aside for people to look at.
    DeadLetter,
}

/// Makes the queue that the settings ask for. `service` is the name under which the broker lists the connections.
///
/// Returns at once even if the broker is down: it is connected to in the background, and [`Queue::status`] tells.
///
/// # Errors
/// [`Error::Url`] if the broker's URL is none.
pub async fn connect(args: &QueueArgs, service: &str) -> Result<Arc<dyn Queue>, Error> {
    metrics::describe();
    Ok(match args.task_queue {
        QueueKind::InProcess => Arc::new(in_process::InProcessQueue::new(args)),
        QueueKind::RabbitMq => Arc::new(rabbitmq::RabbitMqQueue::start(args, service)?),
    })
}
