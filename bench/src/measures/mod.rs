//! One file for each measure.

pub(crate) mod batch;
pub(crate) mod chain;
pub(crate) mod idle;
pub(crate) mod inflight;
pub(crate) mod million;
pub(crate) mod single;
pub(crate) mod soak;
pub(crate) mod steady;
pub(crate) mod webhooks;

use crate::{site::Site, sizes::Sizes};

/// What every measure is given.
pub(crate) struct Bench {
    pub(crate) site: Site,
    pub(crate) sizes: Sizes,
}
