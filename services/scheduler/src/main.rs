//! The scheduler as a service of its own.

use anyhow::Context;
use scheduler::Config;
use store::Store;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = program::settings::of_this_process(Config::check);
    let telemetry = telemetry::init(&config.telemetry, "scheduler")?;
    let shutdown = program::until_told_to_stop().context("listen for signals")?;
    let store = Store::connect(&config.database).await.context("open the store")?;
    let queue = queue::connect(&config.queue, "scheduler").await.context("prepare the queue")?;
    scheduler::run(config, store, queue, telemetry, shutdown).await
}
