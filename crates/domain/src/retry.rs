//! How long to wait before another attempt.

use std::time::Duration;

/// When to try again, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts of a task that does not say its own number: the first, and its retries.
    pub max_attempts: i32,
    /// The wait after the first attempt; it doubles with each.
    pub base: Duration,
    /// The longest wait that doubling leads to.
    pub longest: Duration,
    /// The longest wait that another side may ask for.
    pub longest_wait: Duration,
}

impl RetryPolicy {
    /// A policy of `max_retries` retries that begin after `base`.
    pub fn new(max_retries: u16, base: Duration) -> Self {
        Self {
            max_attempts: i32::from(max_retries) + 1,
            base,
            longest: Duration::from_secs(300).max(base),
            longest_wait: Duration::from_secs(3_600),
        }
    }

    /// The wait after `attempt`: doubled each time, then cut down by up to half, so that tasks which failed together do not
    /// come back together. `jitter` is from 0 to 1.
    pub fn delay(&self, attempt: i32, jitter: f64) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
        let whole = self.base.saturating_mul(1 << doublings).min(self.longest);
        whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_spread() {
        let policy = RetryPolicy::new(3, Duration::from_secs(2));
        let waits = [1, 2, 3, 9, 100].map(|attempt| policy.delay(attempt, 1.0).as_secs());
        assert_eq!(waits, [2, 4, 8, 300, 300]);
        assert_eq!(policy.delay(2, 0.0), Duration::from_secs(2));
    }
}
