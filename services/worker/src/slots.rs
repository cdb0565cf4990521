//! How many attempts this worker runs at once: one slot each, taken before a task is, so that a claim never waits for room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of a worker.
pub(crate) struct Slots(Arc<Semaphore>);

/// Room for one attempt; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot(
    #[expect(dead_code, reason = "holding it is what it is for")] OwnedSemaphorePermit,
);

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// How many are free at this moment.
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }

    /// Waits until at least one is free, and leaves it free: whoever comes first takes it.
    pub(crate) async fn some_free(&self) {
        drop(self.one().await);
    }

    /// Takes up to `most` (at least one); waits while none is free.
    pub(crate) async fn take_some(&self, most: usize) -> Vec<Slot> {
        let mut taken = vec![self.one().await];
        taken.extend(self.take_free(most.saturating_sub(1)));
        taken
    }

    /// Takes up to `most` of those that are free, maybe none. Never waits.
    pub(crate) fn take_free(&self, most: usize) -> Vec<Slot> {
        std::iter::from_fn(|| self.0.clone().try_acquire_owned().ok())
            .take(most)
            .map(Slot)
            .collect()
    }

    async fn one(&self) -> Slot {
        Slot(self.0.clone().acquire_owned().await.expect("this semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_are_taken_than_there_are_and_each_comes_back() {
        let slots = Slots::new(3);
        let two = slots.take_some(2).await;
        let rest = slots.take_free(5);
        assert_eq!((two.len(), rest.len(), slots.free()), (2, 1, 0));
        drop(two);
        slots.some_free().await;
        assert_eq!(slots.free(), 2);
    }
}
