//! How much of each is done.

use std::time::Duration;

/// Sizes of all measures.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Tasks of a throughput.
    pub(crate) tasks: usize,
    /// Seconds of a rate.
    pub(crate) seconds: usize,
    /// Connections that are kept alive.
    pub(crate) connections: usize,
    /// Tasks of one request, in batches.
    pub(crate) batch: usize,
    /// Tasks that one worker holds at once while they wait for a model.
    pub(crate) in_flight: usize,
    /// How long the load of a soak lasts, ...
    pub(crate) soak: Duration,
    /// ... and what part of the rate of `single` it is.
    pub(crate) load: f64,
}
