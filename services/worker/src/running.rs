//! The attempts that this worker runs, and the leases that it holds for them.
//!
//! ```text
//!  hold ──▶ Held: renewed again and again ──▶ dropped, once it is settled
//!                └─ stop(why) ──▶ the attempt ends; `why` says what becomes of its result
//! ```

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::{ids::TaskId, role::Role, task::ClaimedTask};
use metrics::gauge;
use telemetry::metrics::TASKS_RUNNING;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::slots::Slot;

/// Why an attempt stops before its step has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The task was cancelled: its result is of no interest.
    Cancelled,
    /// Somebody else may hold the task by now: its result must not count.
    LeaseLost,
    /// It took longer than an attempt may.
    TimedOut,
    /// The worker stops: the task goes back, no attempt is spent.
    HandBack,
}

impl Stop {
    /// Whether the attempt's result is dropped, whatever it is.
    pub(crate) const fn voids(self) -> bool {
        match self {
            Self::Cancelled | Self::LeaseLost => true,
            Self::TimedOut | Self::HandBack => false,
        }
    }
}

/// One claim: the task, and the fence that grew with it.
pub(crate) type Claim = (TaskId, i64);

/// One claim's lease, as this worker knows it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) claim: Claim,
    begun: Instant,
    state: Mutex<LeaseState>,
    stopped: CancellationToken,
}

#[derive(Debug)]
struct LeaseState {
    /// By the monotonic clock, counted from before the claim or renewal was sent: never later than in the store.
    until: Instant,
    why: Option<Stop>,
}

impl Lease {
    /// Ends the attempt. The first reason counts, unless a later one voids the result.
    pub(crate) fn stop(&self, why: Stop) {
        let mut state = self.state();
        if state.why.is_none_or(|before| !before.voids() && why.voids()) {
            state.why = Some(why);
        }
        drop(state);
        self.stopped.cancel();
    }

    /// Why it was stopped, if it was.
    pub(crate) fn why(&self) -> Option<Stop> {
        self.state().why
    }

    /// Cancelled when the attempt shall end.
    pub(crate) fn stopped(&self) -> &CancellationToken {
        &self.stopped
    }

    /// Whether it has ended, by this worker's clock.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        !faults::without(faults::Guard::LeaseWatch) && self.state().until <= now
    }

    /// The store has prolonged it.
    pub(crate) fn renewed(&self, until: Instant) {
        let mut state = self.state();
        state.until = state.until.max(until);
    }

    fn state(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every attempt of this worker that is not settled yet.
pub(crate) struct Running {
    table: Mutex<Table>,
    /// How many there are, for whoever waits for the last.
    count: watch::Sender<usize>,
    /// How long a lease lasts without a renewal.
    lease: Duration,
}

#[derive(Default)]
struct Table {
    leases: BTreeMap<Claim, Arc<Lease>>,
    /// Set when the worker hands back what it has: what comes after goes back as well.
    handing_back: bool,
}

impl Running {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { table: Mutex::default(), count: watch::Sender::new(0), lease }
    }

    /// Enters a claim that was sent to the store at `asked`. It is renewed and can be stopped until what this returns is dropped.
    pub(crate) fn hold(self: &Arc<Self>, task: &ClaimedTask, slot: Slot, asked: Instant) -> Held {
        let lease = Arc::new(Lease {
            claim: (task.id, task.fence),
            begun: asked,
            state: Mutex::new(LeaseState { until: asked + self.lease, why: None }),
            stopped: CancellationToken::new(),
        });
        let mut table = self.table();
        // An older claim of the same task is a lease that this worker has lost without having noticed.
        for (_, older) in table.leases.range((task.id, i64::MIN)..(task.id, task.fence)) {
            older.stop(Stop::LeaseLost);
        }
        if table.handing_back {
            lease.stop(Stop::HandBack);
        }
        table.leases.insert(lease.claim, lease.clone());
        self.count.send_replace(table.leases.len());
        drop(table);
        gauge!(TASKS_RUNNING, "role" => task.role.name()).increment(1.0);
        Held { lease, slot: Some(slot), role: task.role, running: self.clone() }
    }

    /// Every lease that is held, but for those that are known to be lost.
    pub(crate) fn leases(&self) -> Vec<Arc<Lease>> {
        let void = |it: &Arc<Lease>| it.why().is_some_and(Stop::voids);
        self.table().leases.values().filter(|it| !void(it)).cloned().collect()
    }

    /// How many attempts are not settled yet.
    pub(crate) fn len(&self) -> usize {
        *self.count.borrow()
    }

    /// Returns when nothing runs.
    pub(crate) async fn emptied(&self) {
        let mut count = self.count.subscribe();
        count.wait_for(|it| *it == 0).await.expect("the sender lives in self");
    }

    /// Stops what runs out of time: leases that end within `margin`, and attempts that began more than `longest` ago.
    pub(crate) fn stop_overdue(&self, now: Instant, margin: Duration, longest: Duration) {
        let watched = !faults::without(faults::Guard::LeaseWatch);
        for lease in self.leases() {
            if watched && lease.state().until <= now + margin {
                lease.stop(Stop::LeaseLost);
            } else if now.saturating_duration_since(lease.begun) > longest {
                lease.stop(Stop::TimedOut);
            }
        }
    }

    /// Stops everything, and whatever is claimed from now on. Gives back how many attempts that are.
    pub(crate) fn hand_back(&self) -> usize {
        let mut table = self.table();
        table.handing_back = true;
        for lease in table.leases.values() {
            lease.stop(Stop::HandBack);
        }
        table.leases.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that is held, with the slot that it takes. Let go of when dropped.
pub(crate) struct Held {
    pub(crate) lease: Arc<Lease>,
    slot: Option<Slot>,
    role: Role,
    running: Arc<Running>,
}

impl Held {
    /// Its slot, for another attempt, once: it is free with the end of this one, which the claim itself outlives.
    pub(crate) fn take_slot(&mut self) -> Option<Slot> {
        self.slot.take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.running.table();
        table.leases.remove(&self.lease.claim);
        self.running.count.send_replace(table.leases.len());
        drop(table);
        gauge!(TASKS_RUNNING, "role" => self.role.name()).decrement(1.0);
    }
}

#[cfg(test)]
mod tests;
