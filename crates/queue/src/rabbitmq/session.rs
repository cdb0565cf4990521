//! The part of a subscription that lasts as long as one connection.

use std::sync::{Arc, Mutex, PoisonError};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio_util::sync::CancellationToken;

use super::{
    limit::Limit,
    outstanding::{Command, Outstanding},
};
use crate::Disposition;

/// A channel with consumers. Deliveries refer to it: what came over it can be settled over it only.
pub(crate) struct Session {
    channel: Channel,
    outstanding: Mutex<Outstanding>,
    /// Cancelled when it is over, or when somebody has a reason not to trust it any more.
    ended: CancellationToken,
}

impl Session {
    pub(super) fn new(channel: Channel) -> Arc<Self> {
        Arc::new(Self { channel, outstanding: Mutex::default(), ended: CancellationToken::new() })
    }

    pub(super) const fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Notes a delivery before anybody sees it.
    pub(super) fn delivered(&self, tag: u64) {
        self.outstanding.lock().unwrap_or_else(PoisonError::into_inner).add(tag);
    }

    /// Tells the broker what became of deliveries; returns for how many it was told. Anything else than full success
    /// ends the session, and so does dropping this half way: the broker then gives all that is unsettled to others.
    pub(super) async fn settle(&self, settled: Vec<(u64, Disposition)>, limit: Limit) -> usize {
        if self.ended.is_cancelled() {
            return 0;
        }
        let doubt = self.ended.clone().drop_guard();
        let commands =
            self.outstanding.lock().unwrap_or_else(PoisonError::into_inner).settle(settled);
        faults::point!("queue.ack.before");
        let telling =
            futures_util::future::join_all(commands.iter().map(|command| self.tell(*command)));
        let Ok(told) = tokio::time::timeout(limit.0, telling).await else { return 0 };
        faults::point!("queue.ack.after");
        if told.iter().all(Option::is_some) {
            doubt.disarm();
        }
        told.into_iter().flatten().sum()
    }

    /// How many deliveries the command settled, if it was sent. The channel is asked and not the delivery's own acker,
    /// which answers `Ok(false)`, and no error, when the channel is dead.
    async fn tell(&self, command: Command) -> Option<usize> {
        let Command { tag, multiple, disposition, count } = command;
        let told = match disposition {
            Disposition::Ack => self.channel.basic_ack(tag, BasicAckOptions { multiple }).await,
            Disposition::Requeue => self.nack(tag, multiple, true).await,
            Disposition::DeadLetter => self.nack(tag, multiple, false).await,
        };
        told.is_ok().then_some(count)
    }

    async fn nack(&self, tag: u64, multiple: bool, requeue: bool) -> lapin::Result<()> {
        self.channel.basic_nack(tag, BasicNackOptions { multiple, requeue }).await
    }
}
