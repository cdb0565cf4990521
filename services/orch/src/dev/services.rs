//! All services, started beside each other and ended in order.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use anyhow::Context;
use api_gateway::{Gateway, Parts};
use queue::{Queue, announcer::Announcer};
use scheduler::Scheduler;
use store::Store;
use telemetry::Telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{Probes, ServeArgs, admin_routes, probes::ProbesBuilder, serve::Bound};
use webhook_ingest::{Ingest, add_without_secret};
use worker::{Shutdown, Worker};
use workspace::Workspaces;

use super::{Announcement, agents::Agents, args::DevSettings};

/// Everything at work, but for the port, which answers from [`Dev::serve`] on.
pub struct Dev {
    announcement: Announcement,
    bound: Bound,
    serve: ServeArgs,
    shutdown: Shutdown,
    probes: Probes,
    gateway: Gateway,
    ingest: Option<Ingest>,
    scheduler: Option<Scheduler>,
    working: Option<JoinHandle<anyhow::Result<()>>>,
    announcing: CancellationToken,
    announcements: JoinHandle<()>,
    upkeep: JoinHandle<()>,
    queue: Arc<dyn Queue>,
}

/// What several services share.
struct Shared {
    store: Store,
    queue: Arc<dyn Queue>,
    announcer: Announcer,
    shutdown: Shutdown,
}

impl Dev {
    /// Takes the port, brings the store up to date and starts the services.
    ///
    /// # Errors
    /// The port is taken, the store cannot be opened, the model server must not be used, git is missing.
    pub async fn start(
        settings: DevSettings,
        telemetry: Telemetry,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        // The port first: where it is taken, nothing else need be started.
        let bound = web::bind(&settings.host, settings.port)?;
        for warning in settings.executor.warnings() {
            tracing::warn!("{warning}");
        }
        let agents = if settings.worker.enabled {
            Some(Agents::choose(settings.executor.clone()).await?)
        } else {
            None
        };
        let store = Store::connect(&settings.database).await.context("open the store")?;
        let migrations =
            store.migrate().await.context("bring the store's schema up to this version")?;
        if !migrations.is_empty() {
            tracing::info!("Migrations have run: {}", migrations.join(", "));
        }
        let queue = queue::connect(&settings.queue, "orch").await.context("prepare the queue")?;
        let announcing = CancellationToken::new();
        let forget = scheduler::forgetter(store.clone());
        let (announcer, announcements) =
            Announcer::start_with(settings.announcer, queue.clone(), forget, announcing.clone());
        let shared = Shared { store, queue: queue.clone(), announcer, shutdown: shutdown.clone() };

        let gateway = shared.gateway(&settings, agents.as_ref());
        let ingest = shared.ingest(&settings)?;
        let scheduler = shared.scheduler(&settings);
        let announcement =
            Announcement::of(&settings, bound.address().port(), agents.as_ref(), ingest.is_some());
        let upkeep = tokio::spawn(telemetry.clone().run_upkeep(shutdown.stop.clone()));
        let mut probes =
            gateway.checks(Probes::builder(shutdown.stop.clone(), move || telemetry.render()));
        if let Some(scheduler) = &scheduler {
            let health = scheduler.health();
            probes = probes.check("scheduler", move || std::future::ready(health.check()));
        }
        let mut working = None;
        if let Some(agents) = agents {
            probes = check_model(probes, &agents)?;
            working = Some(shared.worker(&settings, agents)?);
        }
        let probes = probes.build();
        let serve = settings.serve;
        Ok(Self {
            announcement,
            bound,
            serve,
            shutdown,
            probes,
            gateway,
            ingest,
            scheduler,
            working,
            announcing,
            announcements,
            upkeep,
            queue,
        })
    }

    /// What runs, and where.
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// Answers until the shutdown, and then ends everything in order.
    ///
    /// # Errors
    /// The server or the worker failed.
    pub async fn serve(self) -> anyhow::Result<()> {
        let Shutdown { stop, hurry } = self.shutdown;
        let (admin, api) = (admin_routes(&self.probes), self.gateway.routes());
        let webhooks = self.ingest.as_ref().map(Ingest::routes);
        let routes = move |config: &mut ServiceConfig| {
            admin(config);
            api(config);
            match &webhooks {
                Some(webhooks) => webhooks(config),
                None => add_without_secret(config),
            }
        };
        let serving = self.bound.serve(&self.serve, stop.clone(), routes);
        let served = tokio::select! {
            served = serving => served,
            () = hurry.cancelled() => Ok(()),
        };
        // Where the server failed nobody has asked for the end yet.
        stop.cancel();
        let worked = match self.working {
            Some(working) => working.await.context("end the worker")?,
            None => Ok(()),
        };
        if let Some(scheduler) = self.scheduler {
            scheduler.ended().await;
        }
        if let Some(ingest) = self.ingest {
            ingest.ended().await;
        }
        self.gateway.close().await;
        self.announcing.cancel();
        self.announcements.await.context("end the announcer")?;
        self.queue.close().await;
        self.upkeep.await.context("end the upkeep of metrics")?;
        served.context("serve the API")?;
        worked
    }
}

impl Shared {
    fn gateway(&self, settings: &DevSettings, agents: Option<&Agents>) -> Gateway {
        let parts = Parts {
            store: self.store.clone(),
            queue: self.queue.clone(),
            agents: agents.map(Agents::describe).unwrap_or_default(),
        };
        Gateway::start(settings.gateway.clone(), parts, self.shutdown.stop.clone())
    }

    /// None where no secret is set.
    fn ingest(&self, settings: &DevSettings) -> anyhow::Result<Option<Ingest>> {
        let Some(secrets) = settings.webhook.secrets()? else { return Ok(None) };
        let (store, announcer, stop) =
            (self.store.clone(), self.announcer.clone(), self.shutdown.stop.clone());
        Ok(Some(Ingest::start(&settings.webhook, secrets, store, announcer, stop)))
    }

    fn scheduler(&self, settings: &DevSettings) -> Option<Scheduler> {
        let settings = settings.scheduler.clone();
        let (store, queue, stop) =
            (self.store.clone(), self.queue.clone(), self.shutdown.stop.clone());
        settings
            .enabled
            .then(|| Scheduler::start(settings, store, queue, self.announcer.clone(), stop))
    }

    /// Starts the worker. Where it ends by itself, everything does.
    fn worker(
        &self,
        settings: &DevSettings,
        agents: Agents,
    ) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
        let workspaces = Workspaces::new(&settings.workspace).context("prepare the workspaces")?;
        let (store, queue) = (self.store.clone(), self.queue.clone());
        let worker = Worker::new(
            settings.worker.clone(),
            store,
            queue,
            agents.executor,
            Arc::new(workspaces),
        );
        let shutdown = self.shutdown.clone();
        Ok(tokio::spawn(async move {
            let ended = worker.run(shutdown.clone()).await;
            shutdown.stop.cancel();
            ended
        }))
    }
}

/// Readiness asks the model server where the settings want it.
fn check_model(probes: ProbesBuilder, agents: &Agents) -> anyhow::Result<ProbesBuilder> {
    /// Less than a check may take.
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(1_500);

    if !agents.settings.check_llm
        || agents.settings.executor == agent_executor::settings::ExecutorKind::Stub
    {
        return Ok(probes);
    }
    let client = Arc::new(
        agent_executor::client(&agents.settings)
            .context("prepare the check of the model server")?,
    );
    Ok(probes.check("llm", move || {
        let client = client.clone();
        async move { client.probe(PATIENCE).await.map(drop).map_err(|error| error.to_string()) }
    }))
}
