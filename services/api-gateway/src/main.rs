//! The `api-gateway` program.

use anyhow::Context;
use api_gateway::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = program::settings::of_this_process(|config: &Config| {
        config.validate().err().unwrap_or_default()
    });
    let settings = config.validate().map_err(|wrong| anyhow::anyhow!(wrong.join("; ")))?;
    let telemetry = telemetry::init(&config.telemetry, "api-gateway")?;
    let shutdown = program::until_told_to_stop().context("listen for signals")?;
    api_gateway::run(config, settings, telemetry, shutdown).await
}
