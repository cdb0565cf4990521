//! The worker as a service of its own: the worker, and a port for its health.

use std::{sync::Arc, time::Duration};

use agent_executor::ExecutorSettings;
use anyhow::Context;
use store::Store;
use telemetry::Telemetry;
use tokio_util::sync::CancellationToken;
use web::Probes;
use worker::{Config, Health, Shutdown, Worker, WorkerConfig};
use workspace::Workspaces;

/// How long readiness waits for the model server.
const MODEL_PATIENCE: Duration = Duration::from_millis(1_500);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = program::settings::of_this_process(Config::check);
    let telemetry = telemetry::init(&config.telemetry, "worker")?;
    let settings = config.executor.clone().parse()?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let shutdown = Shutdown::on_signals().context("listen for signals")?;
    let bound =
        web::bind(&config.listen.host, config.listen.port).context("open the health port")?;
    let store = Store::connect(&config.database).await.context("open the store")?;
    let queue = queue::connect(&config.queue, "worker").await.context("prepare the queue")?;
    let executor = agent_executor::build(&settings).context("prepare the agents")?;
    let workspaces =
        Arc::new(Workspaces::new(&config.workspace).context("prepare the workspaces")?);

    let worker_config = WorkerConfig {
        announcer: config.announcer,
        grace: config.serve.grace(),
        ..config.worker.parse()?
    };
    let worker = Worker::new(worker_config, store, queue.clone(), executor, workspaces);
    let probes = probes(worker.health(), &settings, telemetry.clone(), shutdown.stop.clone())?;
    let over = CancellationToken::new();
    let upkeep = tokio::spawn(telemetry.run_upkeep(over.clone()));
    // Served to the very end, so that one can see a worker drain.
    let serving =
        async { bound.serve(&config.serve, over.clone(), web::admin_routes(&probes)).await };
    let working = async {
        let worked = worker.run(shutdown).await;
        over.cancel();
        worked
    };
    let (served, worked) = tokio::join!(serving, working);
    queue.close().await;
    upkeep.await.context("end the upkeep of metrics")?;
    worked?;
    served.context("serve the health port")
}

fn probes(
    health: Health,
    settings: &ExecutorSettings,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<Probes> {
    let (store, queue) = (health.clone(), health);
    let mut probes = Probes::builder(shutdown, move || telemetry.render())
        .check("database", move || {
            let health = store.clone();
            async move { health.store().await }
        })
        .check("queue", move || std::future::ready(queue.queue()));
    if settings.check_llm {
        let client = Arc::new(
            agent_executor::client(settings).context("prepare the check of the model server")?,
        );
        probes = probes.check("llm", move || {
            let client = client.clone();
            async move {
                client.probe(MODEL_PATIENCE).await.map(drop).map_err(|error| error.to_string())
            }
        });
    }
    Ok(probes.build())
}
