//! webhook-ingest as a service of its own.

use anyhow::Context;
use store::Store;
use webhook_ingest::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = program::settings::of_this_process(Config::check);
    let telemetry = telemetry::init(&config.telemetry, "webhook-ingest")?;
    let shutdown = program::until_told_to_stop().context("listen for signals")?;
    let store = Store::connect(&config.database).await.context("open the store")?;
    let queue =
        queue::connect(&config.queue, "webhook-ingest").await.context("prepare the queue")?;
    webhook_ingest::run(config, store, queue, telemetry, shutdown).await
}
