//! The scheduler as a service of its own.

use anyhow::Context;
use scheduler::Config;
use store::Store;

mod start;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = start::settings(Config::check);
    let telemetry = telemetry::init(&config.telemetry, "scheduler")?;
    let shutdown = start::until_told_to_stop().context("listen for signals")?;
    let store = Store::connect(&config.database).await.context("open the store")?;
    let queue = queue::connect(&config.queue, "scheduler").await.context("prepare the queue")?;
    scheduler::run(config, store, queue, telemetry, shutdown).await
}
