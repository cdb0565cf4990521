//! Failures of loops: said when they begin and when they end, not every time; and how long to wait between.

use std::time::{Duration, Instant};

use domain::retry::RetryPolicy;

/// Waits between attempts to reach something that is down.
const WAITS: RetryPolicy = RetryPolicy {
    max_attempts: i32::MAX,
    base: Duration::from_millis(50),
    longest: Duration::from_secs(2),
    longest_wait: Duration::from_secs(2),
};

/// Whether something that is done again and again fails at the moment.
pub(crate) struct Trouble {
    /// What cannot be done, as in "could not …".
    doing: &'static str,
    since: Option<Instant>,
    failures: i32,
}

impl Trouble {
    pub(crate) fn with(doing: &'static str) -> Self {
        Self { doing, since: None, failures: 0 }
    }

    /// It failed. Gives back how long to wait before another try.
    pub(crate) fn failed(&mut self, error: &dyn std::error::Error) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!(
                "The worker could not {}, and tries again: {}",
                self.doing,
                chain(error)
            );
        }
        WAITS.delay(self.failures, jitter())
    }

    /// It succeeded.
    pub(crate) fn over(&mut self) {
        self.failures = 0;
        if let Some(since) = self.since.take() {
            let elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(elapsed_ms, "The worker can {} again", self.doing);
        }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// A number from 0 to 1, so that workers which failed together do not come back together.
pub(crate) fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Every state has keys of its own, drawn from the system's randomness.
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).expect("32 bits")) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_begin_anew_once_it_works() {
        let mut trouble = Trouble::with("reach the moon");
        let error = std::io::Error::other("too far");
        let first = trouble.failed(&error);
        assert!(first <= Duration::from_millis(50), "{first:?}");
        let later = (0..20).map(|_| trouble.failed(&error)).last().unwrap();
        assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&later), "{later:?}");
        trouble.over();
        assert!(trouble.failed(&error) <= Duration::from_millis(50));
    }

    #[test]
    fn jitter_is_spread_between_0_and_1() {
        let drawn: Vec<f64> = (0..100).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|it| (0.0..=1.0).contains(it)));
        assert!(drawn.iter().any(|it| *it < 0.5) && drawn.iter().any(|it| *it > 0.5));
    }
}
