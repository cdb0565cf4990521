//! What every background loop has in common.
//!
//! A loop is a reconciler: each round looks at the store and does a bounded batch of what it finds there, so a round that
//! was missed, cut off or done twice harms nothing. A full batch is followed by the next round at once, an idle loop by its
//! period (spread a little, so that replicas do not look together), a failure by a wait that grows. Two rounds of a loop
//! are never under way at once.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{board::Board, metrics};

/// What a round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nothing is left for now.
    CaughtUp,
    /// The batch was full: there is probably more.
    Full,
    /// There will never be anything again: the loop ends.
    Over,
}

impl Round {
    /// What it means to have found `found` things with a batch of `batch`.
    pub(crate) fn of(found: usize, batch: u32) -> Self {
        if u32::try_from(found).is_ok_and(|found| found < batch) {
            Self::CaughtUp
        } else {
            Self::Full
        }
    }
}

/// What a loop needs beside its work.
#[derive(Clone)]
pub(crate) struct Reins {
    pub(crate) board: Board,
    /// Changes when every loop should look now, whatever its period.
    pub(crate) wake: watch::Receiver<()>,
    pub(crate) shutdown: CancellationToken,
}

/// The wait after the first failure; it doubles with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// The longest wait after a failure.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Runs `round` again and again until shutdown. A round under way at shutdown is dropped: the store ends what it began, and
/// what was not announced is in the outbox.
pub(crate) async fn reconcile<F>(
    name: &'static str,
    period: Duration,
    mut reins: Reins,
    round: impl Fn() -> F,
) where
    F: Future<Output = anyhow::Result<Round>>,
{
    let mut failures = 0_u32;
    reins.board.expect(name);
    while let Some(outcome) =
        reins.shutdown.clone().run_until_cancelled(one_round(name, &round)).await
    {
        let wait = match outcome {
            Ok(found) => {
                failures = 0;
                reins.board.succeeded(name);
                match found {
                    Round::Over => return,
                    Round::Full => continue,
                    Round::CaughtUp => spread(period),
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                reins.board.failed(name, format!("{error:#}"));
                spread(backoff(failures).max(period))
            }
        };
        tokio::select! {
            () = reins.shutdown.cancelled() => return,
            () = sleep(wait) => {}
            Ok(()) = reins.wake.changed() => {}
        }
    }
}

/// One round, measured. A panic is a failure like any other: a loop that died of it would not be missed until work is.
async fn one_round<F>(name: &'static str, round: &impl Fn() -> F) -> anyhow::Result<Round>
where
    F: Future<Output = anyhow::Result<Round>>,
{
    let begun = Instant::now();
    let outcome = AssertUnwindSafe(async { round().await }).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_panic| Err(anyhow::anyhow!("the round panicked")));
    metrics::round(name, begun.elapsed(), outcome.is_ok());
    outcome
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF)
}

/// The same, up to a tenth longer or shorter.
fn spread(wait: Duration) -> Duration {
    // The first field of a random UUID has 32 random bits.
    let random = uuid::Uuid::new_v4().as_fields().0;
    wait.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
