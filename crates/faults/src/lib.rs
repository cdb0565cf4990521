//! Places at which a test can have a process crash, and guards that a test can take out to see that it would be missed.
//!
//! ```text
//!  faults::point!("queue.publish.before");                   a named place, listed in docs/fault-points.md
//!  if faults::without(Guard::Fence) { … }                    what stands for the guard where it is taken out
//! ```
//!
//! Without the feature `inject` all of this is nothing: a point expands to `()`, a guard is never out, and no variable is
//! read. With it, the environment says what happens, by the variables in `inject.rs`.

#[cfg(feature = "inject")]
pub mod inject;

/// A named place that the process may be made to crash at. The name is an expression of type `&'static str`.
#[cfg(feature = "inject")]
#[macro_export]
macro_rules! point {
    ($name:expr) => {
        $crate::inject::reached($name)
    };
}

/// A named place that the process may be made to crash at: nothing, in this build.
#[cfg(not(feature = "inject"))]
#[macro_export]
macro_rules! point {
    ($name:expr) => {
        ()
    };
}

/// What keeps a fault from doing harm. Each can be taken out, so that tests see that they notice its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// `fence`: the store refuses the end of an attempt that no longer holds its task.
    Fence,
    /// `lease_watch`: a worker stops what it no longer holds the lease of, before the store would refuse it.
    LeaseWatch,
    /// `outbox_sweep`: whatever finds work whose message was lost: the sweep, the reminder and the workers' poll.
    OutboxSweep,
    /// `delivery_dedupe`: a delivery is taken once.
    DeliveryDedupe,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 4] =
        [Self::Fence, Self::LeaseWatch, Self::OutboxSweep, Self::DeliveryDedupe];

    /// Its name in `ORCH_FAULT_WITHOUT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::LeaseWatch => "lease_watch",
            Self::OutboxSweep => "outbox_sweep",
            Self::DeliveryDedupe => "delivery_dedupe",
        }
    }
}

/// Whether a guard is taken out.
#[cfg(feature = "inject")]
pub fn without(guard: Guard) -> bool {
    inject::without(guard)
}

/// Whether a guard is taken out: never, in this build.
#[cfg(not(feature = "inject"))]
pub const fn without(_guard: Guard) -> bool {
    false
}

/// Ends the process where the text holds `poison-the-worker`: a task that no worker survives.
#[cfg(feature = "inject")]
pub fn poisoned_by(text: &str) {
    inject::poisoned_by(text);
}

/// Nothing, in this build.
#[cfg(not(feature = "inject"))]
pub const fn poisoned_by(_text: &str) {}
