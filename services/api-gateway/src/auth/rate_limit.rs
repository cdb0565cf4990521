//! How many requests a caller may send.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
};

use domain::ids::ApiKeyId;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::error::ApiError;

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Key(ApiKeyId),
    /// Requests without a key, or with one that has to be looked up.
    Peer(IpAddr),
}

/// A limit for each API key, and for each address that sends requests without one. None is no limit.
pub(crate) struct RateLimit {
    limiter: Option<DefaultKeyedRateLimiter<Counted>>,
    clock: DefaultClock,
}

impl RateLimit {
    /// `per_second` requests in the long run, and up to `burst` at once; 0 per second is no limit.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let limiter = NonZeroU32::new(per_second).map(|rate| {
            let burst = NonZeroU32::new(burst).unwrap_or(rate);
            RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
        });
        Self { limiter, clock: DefaultClock::default() }
    }

    pub(crate) fn check_key(&self, key: ApiKeyId) -> Result<(), ApiError> {
        self.check(Counted::Key(key))
    }

    /// A peer without an address, as over a Unix socket, counts as one peer.
    pub(crate) fn check_peer(&self, peer: Option<IpAddr>) -> Result<(), ApiError> {
        self.check(Counted::Peer(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }

    fn check(&self, counted: Counted) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(&counted).map_err(|not_until| ApiError::TooManyRequests {
            retry_after: not_until.wait_time_from(self.clock.now()),
        })
    }

    /// Forgets those who have not asked for a while.
    pub(crate) fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_a_wait_is_told() {
        let limit = RateLimit::new(1, 3);
        let key = ApiKeyId::new();
        let passed = (0..5).filter(|_| limit.check_key(key).is_ok()).count();
        assert_eq!(passed, 3);
        let Err(ApiError::TooManyRequests { retry_after }) = limit.check_key(key) else {
            panic!("it is over the limit")
        };
        assert!(retry_after.as_millis() > 0, "{retry_after:?}");
    }

    #[test]
    fn callers_do_not_count_for_each_other() {
        let limit = RateLimit::new(1, 1);
        assert!(limit.check_key(ApiKeyId::new()).is_ok());
        assert!(limit.check_key(ApiKeyId::new()).is_ok());
        assert!(limit.check_peer(None).is_ok());
        assert!(limit.check_peer(None).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let limit = RateLimit::new(0, 0);
        assert!((0..1_000).all(|_| limit.check_peer(None).is_ok()));
    }
}
