//! Publishes messages of the outbox right after the commit that wrote them.
//!
//! ```text
//!  announce ──▶ buffer ──▶ batches, published with confirms ──▶ confirmed ──▶ rows forgotten, many at a time
//!                 └─ full: dropped          └─ failed: left alone
//! ```
//!
//! What is dropped or fails stays in the outbox, where the scheduler finds it. So announcing is only ever a matter of speed,
//! and nothing here retries, waits for long, or stops a service from ending.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::{Args, value_parser};
use domain::message::{Message, OutboxMessage};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use metrics::{Unit, counter, describe_counter};
use tokio::{sync::mpsc, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use crate::Queue;

const PUBLISHED: &str = "orchestrator_outbox_published_total";

/// Rows forgotten in one statement, at most.
const FORGET_ROWS: usize = 4_096;

/// The settings of the announcer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Announcing tasks")]
pub struct AnnouncerArgs {
    /// How many messages may wait to be published; more are left to the scheduler.
    #[arg(long, env = "ORCH_ANNOUNCE_BUFFER", default_value_t = 65_536, value_parser = value_parser!(u32).range(1..=1_048_576))]
    pub announce_buffer: u32,

    /// How many messages are published in one batch, at most.
    #[arg(long, env = "ORCH_ANNOUNCE_BATCH", default_value_t = 512, value_parser = value_parser!(u16).range(1..))]
    pub announce_batch: u16,

    /// How many batches are published at the same time.
    #[arg(long, env = "ORCH_ANNOUNCE_IN_FLIGHT", default_value_t = 2, value_parser = value_parser!(u16).range(1..))]
    pub announce_in_flight: u16,

    /// How long confirmed rows gather before they are forgotten together. Far less than the age at which the scheduler
    /// takes a row for left behind.
    #[arg(long, env = "ORCH_ANNOUNCE_FORGET_MS", default_value_t = 100, value_parser = value_parser!(u64).range(0..=2_000))]
    pub announce_forget_ms: u64,

    /// How long a stopping service goes on to publish what waits.
    #[arg(long, env = "ORCH_ANNOUNCE_DRAIN_MS", default_value_t = 2_000)]
    pub announce_drain_ms: u64,
}

impl Default for AnnouncerArgs {
    /// The documented defaults, without a look at the environment.
    fn default() -> Self {
        Self {
            announce_buffer: 65_536,
            announce_batch: 512,
            announce_in_flight: 2,
            announce_forget_ms: 100,
            announce_drain_ms: 2_000,
        }
    }
}

/// Deletes outbox rows by id; false if the store could not, which does no harm.
type Forget = Arc<dyn Fn(Vec<i64>) -> BoxFuture<'static, bool> + Send + Sync>;

/// Hands messages to the queue in the background. Clones share one buffer.
#[derive(Clone, Debug)]
pub struct Announcer {
    buffer: mpsc::Sender<OutboxMessage>,
    /// Whether the last announcement did not fit, so that an overflow is logged once.
    overflowing: Arc<AtomicBool>,
}

impl Announcer {
    /// Starts with the default settings; see [`Announcer::start_with`].
    pub fn start(
        queue: Arc<dyn Queue>,
        forget: impl Fn(Vec<i64>) -> BoxFuture<'static, bool> + Send + Sync + 'static,
        shutdown: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        Self::start_with(AnnouncerArgs::default(), queue, forget, shutdown)
    }

    /// Starts to publish what is announced. `forget` deletes the outbox rows whose messages the queue has confirmed.
    ///
    /// After `shutdown` nothing more is taken; what waits is published and forgotten within the drain limit, and then the
    /// handle ends.
    pub fn start_with(
        args: AnnouncerArgs,
        queue: Arc<dyn Queue>,
        forget: impl Fn(Vec<i64>) -> BoxFuture<'static, bool> + Send + Sync + 'static,
        shutdown: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        describe_counter!(
            PUBLISHED,
            Unit::Count,
            "Messages announced right after their commit, by result: confirmed; failed or dropped, and left to the scheduler"
        );
        let (buffer, messages) = mpsc::channel(places(args.announce_buffer));
        let work = announce_all(args, queue, Arc::new(forget), messages, shutdown);
        (Self { buffer, overflowing: Arc::default() }, tokio::spawn(work))
    }

    /// Has messages published soon. Never waits: what does not fit stays in the outbox.
    pub fn announce(&self, messages: Vec<OutboxMessage>) {
        if messages.is_empty() {
            return;
        }
        let dropped = messages.into_iter().filter(|it| self.buffer.try_send(*it).is_err()).count();
        let overflowed_before = self.overflowing.swap(dropped > 0, Ordering::Relaxed);
        if dropped > 0 {
            count("dropped", dropped);
            if !overflowed_before {
                tracing::warn!(
                    messages.count = dropped,
                    "{dropped} messages could not be announced at once and are left to the scheduler"
                );
            }
        }
    }
}

async fn announce_all(
    args: AnnouncerArgs,
    queue: Arc<dyn Queue>,
    forget: Forget,
    messages: mpsc::Receiver<OutboxMessage>,
    shutdown: CancellationToken,
) {
    let at_once = usize::from(args.announce_batch) * usize::from(args.announce_in_flight);
    let (confirmed, rows) = mpsc::channel(places(args.announce_buffer) + at_once);
    let work = async {
        tokio::join!(
            publish_all(args, queue, messages, confirmed, &shutdown),
            forget_all(args, forget, rows, &shutdown)
        );
    };
    let limit = async {
        shutdown.cancelled().await;
        time::sleep(Duration::from_millis(args.announce_drain_ms)).await;
    };
    tokio::select! {
        () = work => {}
        () = limit => tracing::warn!("The last messages were not published in time and are left to the scheduler"),
    }
}

/// Publishes in batches until shutdown, and then what is left. Ends `confirmed` with itself.
async fn publish_all(
    args: AnnouncerArgs,
    queue: Arc<dyn Queue>,
    mut messages: mpsc::Receiver<OutboxMessage>,
    confirmed: mpsc::Sender<i64>,
    shutdown: &CancellationToken,
) {
    let most = usize::from(args.announce_in_flight.max(1));
    let mut in_flight = FuturesUnordered::new();
    let mut closed = false;
    let mut ended = false;
    while !(ended && in_flight.is_empty()) {
        let mut batch = Vec::new();
        tokio::select! {
            () = shutdown.cancelled(), if !closed => {
                messages.close();
                closed = true;
            }
            taken = messages.recv_many(&mut batch, usize::from(args.announce_batch.max(1))), if !ended && in_flight.len() < most => {
                ended = taken == 0;
                if !ended {
                    in_flight.push(publish(queue.as_ref(), batch, &confirmed));
                }
            }
            Some(()) = in_flight.next() => {}
        }
    }
}

async fn publish(queue: &dyn Queue, batch: Vec<OutboxMessage>, confirmed: &mpsc::Sender<i64>) {
    let messages: Vec<Message> = batch.iter().map(|it| it.message).collect();
    let results = queue.publish(&messages).await;
    let mut safe = 0;
    for (row, _) in batch.iter().zip(&results).filter(|(_, result)| result.is_ok()) {
        safe += 1;
        // Where even this does not fit, the scheduler publishes it once more, which harms nobody.
        let _ = confirmed.try_send(row.id);
    }
    count("confirmed", safe);
    count("failed", batch.len() - safe);
}

/// Forgets confirmed rows, many in one statement. They are in no hurry, so they gather for a while first.
async fn forget_all(
    args: AnnouncerArgs,
    forget: Forget,
    mut rows: mpsc::Receiver<i64>,
    shutdown: &CancellationToken,
) {
    let linger = Duration::from_millis(args.announce_forget_ms);
    let mut failing = false;
    let mut ids = Vec::new();
    while rows.recv_many(&mut ids, FORGET_ROWS).await > 0 {
        shutdown.run_until_cancelled(time::sleep(linger)).await;
        while ids.len() < FORGET_ROWS
            && let Ok(id) = rows.try_recv()
        {
            ids.push(id);
        }
        faults::point!("announcer.forget.before");
        let failed = !forget(std::mem::take(&mut ids)).await;
        faults::point!("announcer.forget.after");
        if failed && !failing {
            tracing::warn!(
                "Published messages could not be removed from the outbox; the scheduler will publish them again"
            );
        }
        failing = failed;
    }
}

fn count(result: &'static str, messages: usize) {
    if messages > 0 {
        counter!(PUBLISHED, "result" => result).increment(messages as u64);
    }
}

fn places(buffer: u32) -> usize {
    usize::try_from(buffer).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests;
