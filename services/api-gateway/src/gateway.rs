//! The service as a whole: made of its parts, mounted on a server, stopped.

use std::{sync::Arc, time::Duration};

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use queue::{Queue, QueueStatus};
use store::{Store, StoreKind};
use telemetry::Telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{Probes, admin_routes, probes::ProbesBuilder};

use crate::{
    agents::AgentDescription, app::App, config::Config, error::in_one_line, metrics, routes,
    settings::Settings,
};

/// For how long the queue may be out of order before the service says that it is not ready: what is created meanwhile is kept
/// in the outbox, so only patience runs out.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);
/// How often keys' last use is noted, idle callers are forgotten and gauges are set.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// What the service works with. Its owner closes the queue.
pub struct Parts {
    pub store: Store,
    pub queue: Arc<dyn Queue>,
    /// What `GET /agents` says beside the registry.
    pub agents: Vec<AgentDescription>,
}

/// The running service, without the server that it is mounted on.
pub struct Gateway {
    app: Data<App>,
    queue: Arc<dyn Queue>,
    background: CancellationToken,
    work: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts the service. `shutdown` ends its event streams; [`Gateway::close`] ends the rest.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(settings: Settings, parts: Parts, shutdown: CancellationToken) -> Self {
        let Parts { store, queue, agents } = parts;
        let background = CancellationToken::new();
        let (app, announcing) =
            App::start(settings, store, Arc::clone(&queue), agents, shutdown, background.clone());
        let app = Data::new(app);
        let upkeep = tokio::spawn(upkeep(app.clone(), background.clone()));
        Self { app, queue, background, work: vec![announcing, upkeep] }
    }

    /// Adds the routes of the API to a server. Probes are added by [`web::admin_routes`].
    pub fn routes(&self) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
        let app = self.app.clone();
        move |config| routes::mount(&app, config)
    }

    /// Adds what this service cannot work without.
    pub fn checks(&self, probes: ProbesBuilder) -> ProbesBuilder {
        let store = self.app.store.clone();
        let queue = Arc::clone(&self.queue);
        let name = match store.kind() {
            StoreKind::Postgres => "postgres",
            StoreKind::Sqlite => "sqlite",
        };
        probes
            .check(name, move || check_store(store.clone()))
            .check("queue", move || std::future::ready(check_queue(queue.as_ref())))
    }

    /// Ends what works in the background, once no request is answered any more.
    pub async fn close(self) {
        self.background.cancel();
        for work in self.work {
            if let Err(error) = work.await {
                tracing::error!(%error, "a background task ended badly");
            }
        }
    }
}

async fn check_store(store: Store) -> Result<(), String> {
    store.ping().await.map_err(|error| in_one_line(&error))?;
    // Its future stays on one thread, for it holds migrations, which cannot move to another.
    let runtime = tokio::runtime::Handle::current();
    let checked =
        tokio::task::spawn_blocking(move || runtime.block_on(store.schema_is_current())).await;
    checked.map_err(|error| error.to_string())?.map_err(|error| in_one_line(&error))
}

fn check_queue(queue: &dyn Queue) -> Result<(), String> {
    match queue.status() {
        QueueStatus::Up => Ok(()),
        QueueStatus::Degraded { since, .. } if since.elapsed() < QUEUE_PATIENCE => Ok(()),
        QueueStatus::Degraded { reason, since } => {
            Err(format!("{reason}; for {} s", since.elapsed().as_secs()))
        }
    }
}

async fn upkeep(app: Data<App>, background: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP_PERIOD);
    while background.run_until_cancelled(ticks.tick()).await.is_some() {
        app.keys.note_used().await;
        app.rate_limit.forget_idle();
        metrics::pool(app.store.pool_state());
    }
    app.keys.note_used().await;
}

/// Runs the service until `shutdown`, and drains it.
///
/// # Errors
/// A store or queue that cannot be opened, or a port that cannot be had.
pub async fn run(
    config: Config,
    settings: Settings,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    // The port first: where it is taken, nothing else need be started.
    let bound = web::bind(&config.host, config.port)?;
    let store = Store::connect(&config.database).await.context("open the store")?;
    let queue =
        queue::connect(&config.queue, "api-gateway").await.context("connect to the queue")?;
    let parts = Parts { store, queue: Arc::clone(&queue), agents: config.agents.describe() };
    let gateway = Gateway::start(settings, parts, shutdown.clone());
    let upkeep = tokio::spawn(telemetry.clone().run_upkeep(shutdown.clone()));
    let probes =
        gateway.checks(Probes::builder(shutdown.clone(), move || telemetry.render())).build();

    let (admin, api) = (admin_routes(&probes), gateway.routes());
    let served = bound
        .serve(&config.serve, shutdown.clone(), move |server| {
            admin(server);
            api(server);
        })
        .await;
    // Also where the server failed by itself.
    shutdown.cancel();
    gateway.close().await;
    queue.close().await;
    upkeep.await.context("end the upkeep of metrics")?;
    Ok(served?)
}
