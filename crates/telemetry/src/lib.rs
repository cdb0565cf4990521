//! What every service tells about itself: logs, metrics, and an HTTP client that says who it is.
//!
//! [`init`] is called once at the start of `main`; a second call in the same process (`orch dev` runs all services in one,
//! tests run many) changes nothing and returns the same [`Telemetry`].

pub mod http_client;
mod logs;
pub mod metrics;
mod process;
mod recorder;

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

pub use crate::http_client::http_client;

/// How often [`Telemetry::run_upkeep`] moves samples into histogram buckets; between two times they lie in memory.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// What is logged, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct TelemetryArgs {
    /// What is logged: a level (error, warn, info, debug, trace), or levels by module as `info,store=debug`.
    #[arg(long = "log", env = "ORCH_LOG", default_value = "info", value_parser = logs::parse_filter)]
    pub log: String,
    /// How a line looks.
    #[arg(long = "log-format", env = "ORCH_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For people, coloured on a terminal.
    Text,
}

impl Default for TelemetryArgs {
    fn default() -> Self {
        Self { log: "info".to_owned(), log_format: LogFormat::Json }
    }
}

/// The metrics of this process, ready to be read.
#[derive(Clone)]
pub struct Telemetry {
    handle: PrometheusHandle,
}

/// Starts logs (to stderr) and metrics of this process, and chooses ring for TLS. `service` is the name in every line.
///
/// # Errors
/// A filter that cannot be read, or a metrics recorder that somebody else installed before.
pub fn init(args: &TelemetryArgs, service: &'static str) -> anyhow::Result<Telemetry> {
    http_client::install_tls();
    logs::install(args, service)?;
    let handle = recorder::install(service).context("install the metrics recorder")?;
    Ok(Telemetry { handle })
}

impl Telemetry {
    /// All metrics in the text format of Prometheus, those of the process (memory, descriptors, CPU) read just now.
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        process::write_metrics(&mut text);
        text
    }

    /// Keeps histograms small until `shutdown`: without it, their samples pile up between two scrapes.
    pub async fn run_upkeep(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP_PERIOD);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}
