//! The scheduler: starts runs over time, and mends what others left behind.
//!
//! It is a set of loops (`reconcile`), one file each, that look at the store and do a bounded batch of what they find:
//!
//! | loop | what it looks for |
//! | --- | --- |
//! | sweep | messages in the outbox that nobody has published |
//! | remind | ready tasks that nobody claims |
//! | promote | retries whose wait is over |
//! | rescue | attempts whose lease ran out |
//! | timeouts | runs that take longer than they may |
//! | periodic | slots of schedules that have come |
//! | clean | what has been kept long enough |
//! | gauges | what there is to be measured |
//!
//! Every decision is a conditional update in the store, so any number of schedulers may run at once.

use std::{future::Future, pin::Pin, sync::Arc};

use anyhow::Context;
use queue::{Queue, QueueStatus, announcer::Announcer};
use store::Store;
use telemetry::Telemetry;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use web::Probes;

mod config;

mod board;
mod metrics;
mod reconcile;

mod clean;
mod gauges;
mod periodic;
mod promote;
mod remind;
mod rescue;
mod sweep;
mod timeouts;

pub use config::{Config, ListenArgs, Periods, RetryArgs, Roles, SchedulerArgs, Settings};

use crate::{
    board::Board,
    reconcile::{Reins, Round, reconcile},
};

/// A round of a loop between its two fault points.
macro_rules! round {
    ($name:literal, $module:ident :: $round:ident) => {
        |parts| {
            Box::pin(async move {
                faults::point!(concat!("scheduler.", $name, ".before"));
                let found = $module::$round(&parts).await;
                faults::point!(concat!("scheduler.", $name, ".after"));
                found
            })
        }
    };
}

/// What the loops work with.
pub(crate) struct Parts {
    settings: Settings,
    store: Store,
    queue: Arc<dyn Queue>,
    announcer: Announcer,
}

impl Parts {
    /// Whether there is a broker to speak with. Without one the queue itself says so, in log and readiness; loops that need
    /// it rest until it is back.
    pub(crate) fn has_broker(&self) -> bool {
        match self.queue.status() {
            QueueStatus::Up => true,
            QueueStatus::Degraded { .. } => false,
        }
    }
}

/// The loops, at work. They go on if this is dropped; only their shutdown ends them.
pub struct Scheduler {
    health: Health,
    wake: watch::Sender<()>,
    loops: JoinSet<()>,
}

/// Whether the loops do their work. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    board: Board,
    patience: std::time::Duration,
}

impl Health {
    /// # Errors
    /// Which loops have failed for longer than the settings have patience, and why.
    pub fn check(&self) -> Result<(), String> {
        self.board.health(self.patience)
    }
}

type Work = Pin<Box<dyn Future<Output = anyhow::Result<Round>> + Send>>;

impl Scheduler {
    /// Starts the loops, unless the settings switch them off. What becomes ready is handed to `announcer`.
    pub fn start(
        settings: Settings,
        store: Store,
        queue: Arc<dyn Queue>,
        announcer: Announcer,
        shutdown: CancellationToken,
    ) -> Self {
        metrics::describe();
        let (wake, receiver) = watch::channel(());
        let (board, periods, enabled) = (Board::default(), settings.periods, settings.enabled);
        let health = Health { board: board.clone(), patience: settings.patience };
        let mut loops = JoinSet::new();
        if !enabled {
            tracing::warn!(
                "The scheduler is switched off (ORCH_SCHEDULER_ENABLED): retries and schedules stand still"
            );
            return Self { health, wake, loops };
        }
        let parts = Arc::new(Parts { settings, store, queue, announcer });
        let reins = Reins { board, wake: receiver, shutdown };
        let mut start = |name: &'static str, period, round: fn(Arc<Parts>) -> Work| {
            let (reins, parts) = (reins.clone(), parts.clone());
            loops.spawn(reconcile(name, period, reins, move || round(parts.clone())));
        };
        start(
            "default_schedule",
            periods.periodic,
            round!("default_schedule", periodic::ensure_default),
        );
        start("sweep", periods.sweep, round!("sweep", sweep::round));
        start("remind", periods.remind, round!("remind", remind::round));
        start("promote", periods.promote, round!("promote", promote::round));
        start("rescue", periods.rescue, round!("rescue", rescue::round));
        start("timeouts", periods.timeouts, round!("timeouts", timeouts::round));
        start("periodic", periods.periodic, round!("periodic", periodic::round));
        start("clean", periods.clean, round!("clean", clean::round));
        start("gauges", periods.gauges, round!("gauges", gauges::round));
        Self { health, wake, loops }
    }

    /// Has every loop look now, whatever its period.
    pub fn wake(&self) {
        self.wake.send_replace(());
    }

    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Waits until the loops have ended, which they do right after their shutdown.
    pub async fn ended(mut self) {
        while self.loops.join_next().await.is_some() {}
    }
}

/// Runs the service: the loops, and the health port. Returns when `shutdown` is cancelled and all has ended.
///
/// # Errors
/// The health port cannot be served.
pub async fn run(
    config: Config,
    store: Store,
    queue: Arc<dyn Queue>,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let bound =
        web::bind(&config.listen.host, config.listen.port).context("open the health port")?;
    let announcing = CancellationToken::new();
    let (announcer, announcements) = Announcer::start_with(
        config.announcer,
        queue.clone(),
        forgetter(store.clone()),
        announcing.clone(),
    );
    let settings = config.scheduler.settings(config.retries.policy());
    let patience = settings.patience;
    let scheduler =
        Scheduler::start(settings, store.clone(), queue.clone(), announcer, shutdown.clone());
    let upkeep = tokio::spawn(telemetry.clone().run_upkeep(shutdown.clone()));

    let probes =
        probes(store, queue.clone(), patience, scheduler.health(), telemetry, shutdown.clone());
    let served = bound.serve(&config.serve, shutdown.clone(), web::admin_routes(&probes)).await;

    // Where the port failed nobody has asked for the end yet.
    shutdown.cancel();
    scheduler.ended().await;
    announcing.cancel();
    announcements.await.context("end the announcer")?;
    upkeep.await.context("end the upkeep of metrics")?;
    queue.close().await;
    served.context("serve the health port")
}

/// What the announcer does with messages that the broker has: their outbox rows go.
pub fn forgetter(
    store: Store,
) -> impl Fn(Vec<i64>) -> futures_util::future::BoxFuture<'static, bool> + Send + Sync {
    move |ids| {
        let store = store.clone();
        Box::pin(async move { store.forget_published(ids).await.is_ok() })
    }
}

fn probes(
    store: Store,
    queue: Arc<dyn Queue>,
    patience: std::time::Duration,
    health: Health,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> Probes {
    Probes::builder(shutdown, move || telemetry.render())
        .check("database", move || check_schema(store.clone()))
        .check("queue", move || {
            let status = queue.status();
            async move {
                match status {
                    QueueStatus::Degraded { reason, since } if since.elapsed() >= patience => {
                        Err(reason)
                    }
                    QueueStatus::Degraded { .. } | QueueStatus::Up => Ok(()),
                }
            }
        })
        .check("loops", move || {
            let health = health.clone();
            async move { health.check() }
        })
        .build()
}

/// Whether the database answers and has the schema of this version.
async fn check_schema(store: Store) -> Result<(), String> {
    // On a thread of its own: the future holds migrations, which cannot move to another.
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || runtime.block_on(store.schema_is_current()));
    checked.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
