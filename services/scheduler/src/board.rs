//! How the loops are doing, for readiness and for the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::metrics;

/// What each loop last said of itself.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<&'static str, State>>>);

enum State {
    /// No round has ended yet.
    Starting,
    Works,
    Fails {
        since: Instant,
        reason: String,
    },
}

impl Board {
    /// A loop exists from now on.
    pub(crate) fn expect(&self, name: &'static str) {
        self.lock().insert(name, State::Starting);
    }

    pub(crate) fn succeeded(&self, name: &'static str) {
        metrics::succeeded(name);
        let before = self.lock().insert(name, State::Works);
        if let Some(State::Fails { since, .. }) = before {
            let seconds = since.elapsed().as_secs();
            tracing::info!(reconciler = name, "The loop {name} works again, after {seconds} s");
        }
    }

    /// Notes a failure, and logs it if it is a new one: a database that is away is said once, not five times a second.
    pub(crate) fn failed(&self, name: &'static str, reason: String) {
        let mut board = self.lock();
        let known = board.get(name);
        let since = match known {
            Some(State::Fails { since, .. }) => *since,
            Some(State::Starting | State::Works) | None => Instant::now(),
        };
        let is_news =
            !matches!(known, Some(State::Fails { reason: before, .. }) if *before == reason);
        if is_news {
            tracing::warn!(
                reconciler = name,
                "The loop {name} failed and will try again: {reason}"
            );
        }
        board.insert(name, State::Fails { since, reason });
    }

    /// What is wrong with the loops that have failed for `patience` or longer.
    pub(crate) fn health(&self, patience: Duration) -> Result<(), String> {
        let board = self.lock();
        let wrong: Vec<String> = board
            .iter()
            .filter_map(|(name, state)| match state {
                State::Fails { since, reason } if since.elapsed() >= patience => {
                    Some(format!("{name} has failed for {} s: {reason}", since.elapsed().as_secs()))
                }
                State::Fails { .. } | State::Starting | State::Works => None,
            })
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fails_for_long_is_wrong() {
        let board = Board::default();
        board.expect("a");
        board.succeeded("b");
        board.failed("c", "no database".to_owned());
        assert_eq!(board.health(Duration::from_secs(60)), Ok(()));
        assert_eq!(
            board.health(Duration::ZERO),
            Err("c has failed for 0 s: no database".to_owned())
        );
        board.succeeded("c");
        assert_eq!(board.health(Duration::ZERO), Ok(()));
    }
}
