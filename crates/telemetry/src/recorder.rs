//! The recorder behind the `metrics` macros, which Prometheus reads.

use std::sync::OnceLock;

use anyhow::anyhow;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::metrics as catalogue;

/// Upper bounds of histograms in seconds: from half a millisecond, where claims lie, to an hour, where attempts end.
const SECONDS: [f64; 22] = [
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0,
];
/// Upper bounds of histograms of anything else: batch sizes, tokens, bytes.
const COUNTS: [f64; 16] = [
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1_000.0,
    2_000.0,
    5_000.0,
    10_000.0,
    100_000.0,
    1_000_000.0,
    10_000_000.0,
];

/// The one recorder of this process, or why there is none.
static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();

/// Installs the recorder and describes every metric, the first time; returns its handle every time.
pub(crate) fn install(service: &'static str) -> anyhow::Result<PrometheusHandle> {
    let installed = HANDLE.get_or_init(|| {
        let handle =
            builder().and_then(PrometheusBuilder::install_recorder).map_err(|e| e.to_string())?;
        catalogue::describe_all();
        Ok(handle)
    });
    let handle = installed.as_ref().map_err(|reason| anyhow!(reason.clone()))?.clone();
    let labels = [("service", service), ("version", env!("CARGO_PKG_VERSION"))];
    metrics::gauge!(catalogue::BUILD_INFO, &labels).set(1.0);
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(&COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
}
