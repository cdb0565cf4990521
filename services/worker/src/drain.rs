//! How a worker ends: nothing new, time for what runs, and then the rest goes back.
//!
//! ```text
//!  SIGTERM ──▶ no more claims ──▶ attempts may end ──(grace less reserve)──▶ hand back ──▶ settled ──▶ over
//!  second SIGTERM ──────────────────────────────────────────────────────────────▲
//! ```

use std::{io, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::Inner;

/// What tells a worker to end.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// End within the grace period.
    pub stop: CancellationToken,
    /// Do not wait for what runs: hand it back at once.
    pub hurry: CancellationToken,
}

impl From<CancellationToken> for Shutdown {
    /// An end without haste.
    fn from(stop: CancellationToken) -> Self {
        Self { stop, hurry: CancellationToken::new() }
    }
}

impl Shutdown {
    /// Listens to SIGTERM and SIGINT: the first stops, the second hurries.
    ///
    /// # Errors
    /// If the signals cannot be listened to.
    pub fn on_signals() -> io::Result<Self> {
        let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let shutdown = Self { stop: CancellationToken::new(), hurry: CancellationToken::new() };
        let tokens = shutdown.clone();
        tokio::spawn(async move {
            next(&mut signals).await;
            tracing::info!(
                "The worker was told to stop; a second signal hands back at once what runs"
            );
            tokens.stop.cancel();
            next(&mut signals).await;
            tokens.hurry.cancel();
        });
        Ok(shutdown)
    }
}

async fn next([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// The part of the grace period that is kept for handing back and for the last messages.
pub(crate) fn reserve(grace: Duration) -> Duration {
    (grace * 2 / 5).min(Duration::from_secs(10))
}

/// How long a step that is stopped may take to end by itself: so little that handing back has its time.
pub(crate) fn last_words(grace: Duration) -> Duration {
    (reserve(grace) / 8).min(Duration::from_millis(500))
}

/// Waits until everything that runs has ended or gone back, within the grace period that began at `began`.
pub(crate) async fn drain(worker: &Arc<Inner>, shutdown: &Shutdown, began: Instant) {
    let grace = worker.config.grace;
    let reserve = reserve(grace);
    tokio::select! {
        () = worker.running.emptied() => return,
        () = time::sleep_until(began + grace.saturating_sub(reserve)) => {}
        () = shutdown.hurry.cancelled() => {}
    }
    faults::point!("worker.hand_back.before");
    let count = worker.running.hand_back();
    tracing::info!(
        tasks.count = count,
        "The worker hands back {count} tasks that it cannot finish"
    );
    // The rest of the reserve is for the last messages and the end of the process.
    let limit = if shutdown.hurry.is_cancelled() {
        Instant::now()
    } else {
        began + grace.saturating_sub(reserve)
    };
    if time::timeout_at(limit + reserve * 3 / 4, worker.running.emptied()).await.is_err() {
        tracing::warn!(
            "Some tasks could not be handed back in time; they are free again when their leases end"
        );
    }
    faults::point!("worker.hand_back.after");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_get_most_of_the_grace_and_handing_back_the_rest() {
        let check = |grace_ms: u64, expected_ms: u128| {
            assert_eq!(
                reserve(Duration::from_millis(grace_ms)).as_millis(),
                expected_ms,
                "{grace_ms}"
            );
        };
        check(25_000, 10_000);
        check(5_000, 2_000);
        check(600_000, 10_000);
        check(0, 0);
    }
}
