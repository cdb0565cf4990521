//! How long to wait before the next attempt to connect.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Doubling waits between two bounds. Each is shortened by up to a half at random, so that many clients of a broker that
/// comes back do not all come at once.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let longest = self.next;
        self.next = (self.next * 2).min(self.max);
        longest.mul_f64(0.5 + 0.5 * random_fraction())
    }

    /// The last attempt led to something that lasted.
    pub(super) const fn reset(&mut self) {
        self.next = self.min;
    }
}

/// From 0 to 1. The standard library seeds every `RandomState` at random, which is as random as jitter needs.
fn random_fraction() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
        for longest_ms in [200, 400, 800, 1000, 1000] {
            let wait = backoff.next().as_millis();
            assert!((longest_ms / 2..=longest_ms).contains(&wait), "{wait} of {longest_ms}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(200));
    }

    #[test]
    fn two_waits_of_the_same_length_differ() {
        let wait = || Backoff::new(Duration::from_secs(5), Duration::from_secs(5)).next();
        let first = wait();
        assert!((0..8).any(|_| wait() != first));
    }
}
