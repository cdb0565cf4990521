//! Whether the queue works, as readiness shows it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{error::Error, metrics};

/// Whether the queue can be used at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueStatus {
    /// It works.
    Up,
    /// It does not, or only in part. It is being repaired; publishing fails meanwhile and the outbox keeps the messages.
    Degraded {
        /// What is wrong, in words for people.
        reason: String,
        /// Since when something is wrong.
        since: Instant,
    },
}

/// What a connection is for. Publishing and consuming have connections of their own, since a broker that is short of
/// memory stops reading from those that publish, and acknowledgements must still get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Publish,
    Consume,
}

impl Purpose {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of all connections of a queue.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    next_id: u64,
    /// The links that exist, each with its fault if it has one.
    links: BTreeMap<u64, Option<Fault>>,
}

#[derive(Clone)]
struct Fault {
    reason: String,
    since: Instant,
}

impl Health {
    /// Puts a new link on the board, not connected yet.
    pub(crate) fn link(&self, purpose: Purpose) -> LinkHealth {
        let mut board = self.board();
        let id = board.next_id;
        board.next_id += 1;
        let reason = format!("{purpose}: not connected yet");
        board.links.insert(id, Some(Fault { reason, since: Instant::now() }));
        LinkHealth { health: self.clone(), id, purpose }
    }

    /// All faults there are, since the oldest.
    pub(crate) fn status(&self) -> QueueStatus {
        let board = self.board();
        let mut faults: Vec<&Fault> = board.links.values().flatten().collect();
        faults.sort_by_key(|fault| fault.since);
        let Some(oldest) = faults.first() else { return QueueStatus::Up };
        let since = oldest.since;
        let mut reasons: Vec<&str> = faults.iter().map(|fault| fault.reason.as_str()).collect();
        // Several consumers of one process mostly have the same fault.
        reasons.dedup();
        QueueStatus::Degraded { reason: reasons.join("; "), since }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One link's entry on the board; it is taken off when this is dropped.
pub(crate) struct LinkHealth {
    health: Health,
    id: u64,
    purpose: Purpose,
}

impl LinkHealth {
    pub(crate) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// It works.
    pub(crate) fn up(&self) {
        if self.replace(None).is_some() {
            metrics::connected(self.purpose).increment(1.0);
            tracing::info!(queue.purpose = %self.purpose, "The queue's connection to {} works", self.purpose);
        }
    }

    /// It does not work. Said in the log once for each reason, not at every attempt to repair it.
    pub(crate) fn down(&self, error: &Error) {
        let reason = format!("{}: {}", self.purpose, error.chain());
        let now = Instant::now();
        let before = self.replace(Some(Fault { reason: reason.clone(), since: now }));
        match before {
            None => metrics::connected(self.purpose).decrement(1.0),
            Some(fault) => {
                let known = fault.reason == reason;
                self.replace(Some(Fault { reason: reason.clone(), since: fault.since }));
                if known {
                    return;
                }
            }
        }
        tracing::warn!(queue.purpose = %self.purpose, "The queue does not work and is being repaired: {reason}");
    }

    fn replace(&self, fault: Option<Fault>) -> Option<Fault> {
        self.health.board().links.insert(self.id, fault).flatten()
    }
}

impl Drop for LinkHealth {
    fn drop(&mut self) {
        let last = self.health.board().links.remove(&self.id);
        if matches!(last, Some(None)) {
            metrics::connected(self.purpose).decrement(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_shown_until_all_links_work() {
        let health = Health::default();
        assert_eq!(health.status(), QueueStatus::Up);

        let publish = health.link(Purpose::Publish);
        let consume = health.link(Purpose::Consume);
        assert_eq!(reason(&health), "publish: not connected yet; consume: not connected yet");

        publish.up();
        consume.down(&Error::NotConnected);
        assert_eq!(reason(&health), "consume: not connected to the broker");

        consume.up();
        assert_eq!(health.status(), QueueStatus::Up);
    }

    #[test]
    fn a_fault_keeps_its_beginning_while_its_reason_changes_and_goes_with_its_link() {
        let health = Health::default();
        let link = health.link(Purpose::Publish);
        link.up();
        link.down(&Error::NotConnected);
        let QueueStatus::Degraded { since, .. } = health.status() else { panic!("degraded") };
        link.down(&Error::Closed);
        let reason = "publish: the queue is closed".to_owned();
        assert_eq!(health.status(), QueueStatus::Degraded { reason, since });
        drop(link);
        assert_eq!(health.status(), QueueStatus::Up);
    }

    fn reason(health: &Health) -> String {
        match health.status() {
            QueueStatus::Up => String::new(),
            QueueStatus::Degraded { reason, .. } => reason,
        }
    }
}
