//! Cancelled tasks stop running within a second: while anything runs, the store is asked what was cancelled lately.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::ids::TaskId;
use tokio::time;

use crate::{Inner, running::Stop, trouble::Trouble};

/// How much further back than the last answer is asked: a cancellation bears the time at which its transaction began, and is
/// seen when it has ended.
const OVERLAP: Duration = Duration::from_secs(5);

/// Looks for cancelled tasks in every cancel interval in which something runs, until the worker is over.
pub(crate) async fn watch(worker: Arc<Inner>) {
    let mut trouble = Trouble::with("look for cancelled tasks");
    let mut wait = worker.config.cancel_interval;
    let mut seen_until = Instant::now();
    while worker.over.run_until_cancelled(time::sleep(wait)).await.is_some() {
        wait = worker.config.cancel_interval;
        let asked = Instant::now();
        // Before the store is asked: what is claimed afterwards was not cancelled when it was.
        let held = worker.running.leases();
        if held.is_empty() {
            seen_until = asked;
            continue;
        }
        match worker.store.recently_cancelled(seen_until.elapsed() + OVERLAP).await {
            Ok(cancelled) => {
                trouble.over();
                seen_until = asked;
                let cancelled: HashSet<TaskId> = cancelled.into_iter().collect();
                for lease in held.iter().filter(|it| cancelled.contains(&it.claim.0)) {
                    lease.stop(Stop::Cancelled);
                }
            }
            Err(error) => wait = trouble.failed(&error),
        }
    }
}
