//! The worker: claims tasks and executes them with agents, many at once.
//!
//! ```text
//!  queue ──▶ consume ─┐    or with what is settled    ┌─ heartbeat: renews all leases in one statement,
//!  store ──▶ poll ────┴─▶ attempt ──▶ step ──▶ batch  │  and stops what it can no longer vouch for
//!                            ▲         (agent)   │    ├─ cancel: stops what was cancelled
//!                            └── follow-ups ─────┘    └─ drain: hands back at the end
//! ```
//!
//! - A [slot](slots) is taken before a task is, so that no more run than the settings allow.
//! - What runs is a row of [`running`], with its lease and with the means to stop it.
//! - An [attempt] ends as a settlement, whatever its [step](steps) does; [batches](batch) of them are one transaction, which
//!   also claims what follows, and what the consumer wants next ([claims]).
//! - No connection of the store is held while an agent works. The fence of each claim makes a late result harmless.

mod config;
mod drain;
mod health;

mod claims;
mod consume;
mod poll;

mod attempt;
mod batch;
mod running;
mod slots;
mod steps;

mod cancel;
mod heartbeat;

mod metrics;
mod trouble;

use std::sync::Arc;

use agent_executor::AgentExecutor;
use anyhow::bail;
use domain::ids::WorkerId;
use queue::{Queue, announcer::Announcer};
use store::{Store, tasks::ClaimTerms};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;
use workspace::Workspaces;

pub use config::{AuthorName, Config, ListenArgs, WorkerArgs, WorkerConfig};
pub use drain::Shutdown;
pub use health::Health;

use batch::Finished;
use claims::Claims;
use running::Running;
use slots::Slots;

/// A worker that is set up and does not work yet.
pub struct Worker {
    inner: Arc<Inner>,
    finished: mpsc::UnboundedReceiver<Finished>,
    announcing: CancellationToken,
    announced: JoinHandle<()>,
}

/// What every part of a worker shares.
pub(crate) struct Inner {
    config: WorkerConfig,
    id: WorkerId,
    store: Store,
    queue: Arc<dyn Queue>,
    executor: Arc<dyn AgentExecutor>,
    workspaces: Arc<Workspaces>,
    announcer: Announcer,
    slots: Slots,
    /// What the consumer wants next.
    claims: Claims,
    running: Arc<Running>,
    finished: mpsc::UnboundedSender<Finished>,
    /// Nothing new is taken.
    draining: CancellationToken,
    /// Nothing runs any more.
    over: CancellationToken,
}

impl Inner {
    fn terms(&self) -> ClaimTerms {
        ClaimTerms {
            worker: self.id,
            lease: self.config.lease,
            max_attempts: self.config.retry.max_attempts,
        }
    }

    /// Has an attempt's end stored, soon. Each that waits holds a slot, which is their bound.
    fn settle(&self, finished: Finished) {
        // Nobody receives only when the worker is over, which it is not while this attempt is held.
        let _over = self.finished.send(finished);
    }

    fn prefetch(&self) -> u16 {
        u16::try_from(self.config.concurrency.min(self.config.batch)).unwrap_or(u16::MAX)
    }
}

impl Worker {
    /// Sets a worker up. Must be called inside a tokio runtime, which its announcer begins to use.
    pub fn new(
        config: WorkerConfig,
        store: Store,
        queue: Arc<dyn Queue>,
        executor: Arc<dyn AgentExecutor>,
        workspaces: Arc<Workspaces>,
    ) -> Self {
        let announcing = CancellationToken::new();
        let forget = {
            let store = store.clone();
            move |ids| -> futures_util::future::BoxFuture<'static, bool> {
                let store = store.clone();
                Box::pin(async move { store.forget_published(ids).await.is_ok() })
            }
        };
        let (announcer, announced) =
            Announcer::start_with(config.announcer, queue.clone(), forget, announcing.clone());
        let (sender, finished) = mpsc::unbounded_channel();
        let inner = Inner {
            id: WorkerId::new(),
            slots: Slots::new(config.concurrency),
            claims: Claims::default(),
            running: Arc::new(Running::new(config.lease)),
            finished: sender,
            draining: CancellationToken::new(),
            over: CancellationToken::new(),
            config,
            store,
            queue,
            executor,
            workspaces,
            announcer,
        };
        Self { inner: Arc::new(inner), finished, announcing, announced }
    }

    /// Tells of its health, also while it runs.
    pub fn health(&self) -> Health {
        Health(self.inner.clone())
    }

    /// Works until `shutdown`, and then drains within the grace period.
    ///
    /// # Errors
    /// If a part of it ends that must not: the queue was closed, or there is a bug. What runs has been handed back by then.
    pub async fn run(self, shutdown: impl Into<Shutdown>) -> anyhow::Result<()> {
        let Self { inner, finished, announcing, announced } = self;
        let shutdown = shutdown.into();
        let failed = if inner.config.enabled {
            work(&inner, finished, &shutdown).await
        } else {
            tracing::warn!("The worker is switched off (ORCH_WORKER_ENABLED) and takes no tasks");
            shutdown.stop.cancelled().await;
            None
        };
        announcing.cancel();
        if announced.await.is_err() {
            tracing::error!("The announcer panicked; the scheduler publishes what it left behind");
        }
        match failed {
            Some(what) => bail!("the worker's {what} ended, which it must not"),
            None => Ok(()),
        }
    }
}

/// Sets a worker up and runs it until `shutdown`; see [`Worker`].
///
/// # Errors
/// As [`Worker::run`].
pub async fn run(
    config: WorkerConfig,
    store: Store,
    queue: Arc<dyn Queue>,
    executor: Arc<dyn AgentExecutor>,
    workspaces: Arc<Workspaces>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    Worker::new(config, store, queue, executor, workspaces).run(shutdown).await
}

/// Runs every part until the end. Gives back the name of a part that ended before.
async fn work(
    worker: &Arc<Inner>,
    finished: mpsc::UnboundedReceiver<Finished>,
    shutdown: &Shutdown,
) -> Option<&'static str> {
    let config = &worker.config;
    let mut background = JoinSet::new();
    background.spawn(named("settling", batch::settle_all(worker.clone(), finished)));
    background.spawn(named("heartbeat", heartbeat::renew(worker.clone())));
    background.spawn(named("watch over leases", heartbeat::watch(worker.clone())));
    background.spawn(named("watch for cancellations", cancel::watch(worker.clone())));

    let subscription = worker.queue.subscribe(&config.roles, worker.prefetch()).await;
    let mut intake = JoinSet::new();
    intake.spawn(named("consumer", consume::consume(worker.clone(), subscription)));
    intake.spawn(named("safety sweep", poll::poll(worker.clone())));
    tracing::info!(
        worker.id = %worker.id,
        "The worker takes up to {} tasks at once of {}",
        config.concurrency,
        config.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
    );

    let failed = tokio::select! {
        biased;
        () = shutdown.stop.cancelled() => None,
        Some(ended) = intake.join_next() => Some(ended.unwrap_or("intake")),
        Some(ended) = background.join_next() => Some(ended.unwrap_or("background")),
    };
    let began = Instant::now();
    worker.draining.cancel();
    let all_in = async { while intake.join_next().await.is_some() {} };
    // A claim that is under way ends first: what it claims must run or go back.
    let ended = tokio::select! {
        () = all_in => true,
        () = time::sleep_until(began + config.grace.saturating_sub(drain::reserve(config.grace))) => false,
        () = shutdown.hurry.cancelled() => false,
    };
    if !ended {
        tracing::warn!("A claim has not ended yet; what it gets goes back");
    }
    drain::drain(worker, shutdown, began).await;
    worker.over.cancel();
    background.shutdown().await;
    tracing::info!(worker.id = %worker.id, "The worker has ended");
    failed
}

async fn named(name: &'static str, part: impl Future<Output = ()>) -> &'static str {
    part.await;
    name
}
