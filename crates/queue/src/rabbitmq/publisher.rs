//! Publishing with confirms.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant as StdInstant,
};

use async_trait::async_trait;
use domain::{message::Message, role::Role};
use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Broker, link::Link, supervise::Serve, topology::Topology};
use crate::{Error, PublishError, status::LinkHealth};

/// Whether there is a connection to publish on.
#[derive(Clone)]
pub(super) enum State {
    Down { since: StdInstant },
    Up(Arc<Open>),
}

/// A connection that works, as far as is known.
pub(super) struct Open {
    connection: Arc<Connection>,
    /// Channels in confirm mode that nobody uses and no confirm is missing on.
    idle: Mutex<Vec<Channel>>,
    /// Cancelled by whoever has a reason not to trust the connection any more.
    doubt: CancellationToken,
}

impl Open {
    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The supervisor's side: says whether there is a connection.
pub(super) struct PublishServer {
    state: watch::Sender<State>,
}

impl PublishServer {
    pub(super) fn new() -> (Self, watch::Receiver<State>) {
        let (state, seen) = watch::channel(State::Down { since: StdInstant::now() });
        (Self { state }, seen)
    }
}

#[async_trait]
impl Serve for PublishServer {
    async fn serve(&mut self, link: &mut Link, health: &LinkHealth) -> Error {
        let doubt = CancellationToken::new();
        let open =
            Open { connection: link.connection(), idle: Mutex::default(), doubt: doubt.clone() };
        self.state.send_replace(State::Up(Arc::new(open)));
        health.up();
        let trouble = tokio::select! {
            trouble = link.trouble(health, Role::ALL) => trouble,
            () = doubt.cancelled() => Error::Doubt { reason: "a message was not confirmed" },
        };
        self.state.send_replace(State::Down { since: StdInstant::now() });
        trouble
    }
}

/// The callers' side.
pub(super) struct Publisher {
    broker: Arc<Broker>,
    state: watch::Receiver<State>,
    /// As many as channels may be open.
    lanes: Semaphore,
}

impl Publisher {
    pub(super) fn new(broker: Arc<Broker>, state: watch::Receiver<State>) -> Self {
        let lanes = Semaphore::new(broker.publish_channels);
        Self { broker, state, lanes }
    }

    /// See [`crate::Queue::publish`].
    pub(super) async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let deadline = Instant::now() + self.broker.limit.0;
        let lane = tokio::time::timeout_at(deadline, self.lane()).await;
        match lane.unwrap_or_else(|_elapsed| Err(self.no_lane_in_time())) {
            Ok(lane) => lane.publish(&self.broker.topology, messages, deadline).await,
            Err(error) => vec![Err(error); messages.len()],
        }
    }

    /// No channel could be opened, or all were taken by batches that are not confirmed either.
    fn no_lane_in_time(&self) -> PublishError {
        match &*self.state.borrow() {
            State::Up(open) if open.connection.status().blocked() => PublishError::Blocked,
            State::Up(open) => {
                open.doubt.cancel();
                PublishError::TimedOut
            }
            State::Down { .. } => PublishError::NotConnected,
        }
    }

    /// See [`crate::Queue::depths`].
    pub(super) async fn depths(&self) -> Result<Vec<(Role, u64)>, Error> {
        let State::Up(open) = self.state.borrow().clone() else { return Err(Error::NotConnected) };
        let limit = self.broker.limit;
        let channel = limit.call("open a channel", open.connection.create_channel()).await?;
        self.broker.topology.look(&channel, limit, Role::ALL).await
    }

    /// Waits for a turn and for a connection, and takes a channel.
    async fn lane(&self) -> Result<Lane<'_>, PublishError> {
        let open = self.open().await?;
        let permit = self.lanes.acquire().await.map_err(|_closed| PublishError::Closed)?;
        let idle = open.idle().pop();
        let channel = match idle {
            Some(channel) => channel,
            None => {
                confirming_channel(&open.connection).await.map_err(|error| lost(&open, &error))?
            }
        };
        Ok(Lane { channel, open, _permit: permit })
    }

    /// The connection; one that was lost a moment ago is waited for.
    async fn open(&self) -> Result<Arc<Open>, PublishError> {
        let mut state = self.state.clone();
        loop {
            let since = match &*state.borrow_and_update() {
                State::Up(open) if open.connection.status().blocked() => {
                    return Err(PublishError::Blocked);
                }
                State::Up(open) => return Ok(open.clone()),
                State::Down { since } => *since,
            };
            match tokio::time::timeout_at((since + self.broker.patience).into(), state.changed())
                .await
            {
                Ok(Ok(())) => {}
                Ok(Err(_supervisor_ended)) => return Err(PublishError::Closed),
                Err(_elapsed) => return Err(PublishError::NotConnected),
            }
        }
    }
}

async fn confirming_channel(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

fn lost(open: &Open, error: &lapin::Error) -> PublishError {
    open.doubt.cancel();
    PublishError::Lost { reason: error.to_string() }
}

/// A channel that one batch has for itself.
///
/// It must not be shared: lapin gives a returned message to whichever confirm comes next on the channel, so only of a
/// whole batch is it known which of its messages came back. If this is dropped half way, so is the channel.
struct Lane<'a> {
    channel: Channel,
    open: Arc<Open>,
    _permit: SemaphorePermit<'a>,
}

impl Lane<'_> {
    async fn publish(
        self,
        topology: &Topology,
        messages: &[Message],
        deadline: Instant,
    ) -> Vec<Result<(), PublishError>> {
        let (mut outcomes, returned) = self.send(topology, messages, deadline).await;
        faults::point!("queue.publish.confirmed");
        if !returned.is_empty() {
            for (message, outcome) in messages.iter().zip(&mut outcomes) {
                if returned.contains(message) {
                    *outcome = Err(PublishError::Unroutable);
                }
            }
        }
        self.judge(&mut outcomes);
        outcomes
    }

    /// Sends all, then waits for all confirms.
    async fn send(
        &self,
        topology: &Topology,
        messages: &[Message],
        deadline: Instant,
    ) -> (Vec<Result<(), PublishError>>, Vec<Message>) {
        let mut outcomes = vec![Err(PublishError::TimedOut); messages.len()];
        let mut returned = Vec::new();
        let mut confirms: FuturesUnordered<_> = messages
            .iter()
            .enumerate()
            .map(async |(index, message)| (index, confirm(&self.channel, topology, message).await))
            .collect();
        let expired = tokio::time::sleep_until(deadline);
        tokio::pin!(expired);
        loop {
            let (index, confirmed) = tokio::select! {
                biased;
                next = confirms.next() => match next {
                    Some(next) => next,
                    None => break,
                },
                () = &mut expired => break,
            };
            let (outcome, message) = match confirmed {
                Ok(Confirmation::Ack(message)) => (Ok(()), message),
                Ok(Confirmation::Nack(message)) => (Err(PublishError::Refused), message),
                Ok(Confirmation::NotRequested) => (Err(PublishError::TimedOut), None),
                Err(error) => (Err(lost(&self.open, &error)), None),
            };
            outcomes[index] = outcome;
            returned.extend(message.and_then(|it| parse_returned(&it)));
        }
        drop(confirms);
        (outcomes, returned)
    }

    /// Decides from the outcomes whether the channel can be used again, and whether the connection is to be trusted.
    fn judge(self, outcomes: &mut [Result<(), PublishError>]) {
        let timed_out = outcomes.contains(&Err(PublishError::TimedOut));
        if timed_out && self.open.connection.status().blocked() {
            // Nothing is wrong with the connection: the broker is short of something, and says when that is over.
            for outcome in outcomes.iter_mut().filter(|it| **it == Err(PublishError::TimedOut)) {
                *outcome = Err(PublishError::Blocked);
            }
        } else if timed_out || outcomes.contains(&Err(PublishError::Unroutable)) {
            // A new connection declares the queues again.
            self.open.doubt.cancel();
        } else if self.channel.status().connected() {
            self.open.idle().push(self.channel);
        }
    }
}

async fn confirm(
    channel: &Channel,
    topology: &Topology,
    message: &Message,
) -> lapin::Result<Confirmation> {
    const PERSISTENT: u8 = 2;
    faults::point!("queue.publish.before");
    // Without `mandatory` the broker would confirm, and drop, a message for a queue that is not there.
    let mandatory = BasicPublishOptions { mandatory: true, immediate: false };
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into());
    let body = serde_json::to_vec(message).map_err(std::io::Error::from)?;
    let queue = topology.task_queue(message.role);
    let sent = channel.basic_publish("".into(), queue, mandatory, &body, properties).await?;
    faults::point!("queue.publish.sent");
    sent.await
}

fn parse_returned(message: &BasicReturnMessage) -> Option<Message> {
    serde_json::from_slice(&message.delivery.data).ok()
}
