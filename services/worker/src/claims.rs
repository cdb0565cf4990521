//! What the consumer wants to claim, until a transaction takes it along: it may be withdrawn before, but not after.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::{RunId, TaskId};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::slots::Slot;

/// Where the consumer leaves what it wants.
#[derive(Default)]
pub(crate) struct Claims {
    wanted: Mutex<Option<Wanted>>,
    came: Notify,
}

/// Tasks to claim, with a slot for each.
pub(crate) struct Wanted {
    pub(crate) tasks: Vec<(RunId, TaskId)>,
    pub(crate) slots: Vec<Slot>,
    answer: oneshot::Sender<Result<(), NotClaimed>>,
}

/// Why nothing was claimed.
pub(crate) enum NotClaimed {
    /// The store refused or did not answer; the slots are still there.
    Failed(store::Error, Vec<Slot>),
    /// The worker was told to stop before.
    Withdrawn,
}

impl Claims {
    /// Has these claimed, and those started that are to be had, by the next transaction. Withdraws them when `stop` is
    /// cancelled, unless a transaction is about them already: that one is waited for, so that nothing is claimed and not started.
    ///
    /// # Errors
    /// If nothing was claimed.
    pub(crate) async fn claim(
        &self,
        tasks: Vec<(RunId, TaskId)>,
        slots: Vec<Slot>,
        stop: &CancellationToken,
    ) -> Result<(), NotClaimed> {
        let (answer, mut answered) = oneshot::channel();
        *self.wanted() = Some(Wanted { tasks, slots, answer });
        self.came.notify_one();
        let heard = match stop.run_until_cancelled(&mut answered).await {
            Some(heard) => heard,
            None if self.take().is_some() => return Err(NotClaimed::Withdrawn),
            None => answered.await,
        };
        heard.unwrap_or(Err(NotClaimed::Withdrawn))
    }

    /// Returns when there may be something to take.
    pub(crate) async fn some(&self) {
        self.came.notified().await;
    }

    /// Takes what is wanted, for a transaction that begins now.
    pub(crate) fn take(&self) -> Option<Wanted> {
        self.wanted().take()
    }

    fn wanted(&self) -> MutexGuard<'_, Option<Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    /// Those that were to be had run.
    pub(crate) fn done(self) {
        // The consumer waits for the answer as long as it lives.
        let _unheard = self.answer.send(Ok(()));
    }

    /// The transaction failed.
    pub(crate) fn failed(self, error: store::Error) {
        let _unheard = self.answer.send(Err(NotClaimed::Failed(error, self.slots)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::slots::Slots;

    #[tokio::test]
    async fn what_nobody_has_taken_is_withdrawn_and_what_somebody_has_is_waited_for() {
        let (claims, slots, stop) = (Claims::default(), Slots::new(2), CancellationToken::new());
        stop.cancel();
        let withdrawn = claims.claim(vec![task()], slots.take_free(1), &stop).await;
        assert!(matches!(withdrawn, Err(NotClaimed::Withdrawn)));
        assert!(claims.take().is_none() && slots.free() == 2);

        let stop = CancellationToken::new();
        let mut claim = Box::pin(claims.claim(vec![task()], slots.take_free(1), &stop));
        assert!(futures_util::poll!(&mut claim).is_pending());
        claims.some().await;
        let wanted = claims.take().expect("it is wanted");
        stop.cancel();
        assert!(futures_util::poll!(&mut claim).is_pending());
        wanted.done();
        assert!(claim.await.is_ok());
    }

    #[tokio::test]
    async fn a_failure_gives_the_slots_back_and_an_end_is_none() {
        let (claims, slots, stop) = (Claims::default(), Slots::new(2), CancellationToken::new());
        let (failed, ()) =
            tokio::join!(claims.claim(vec![task()], slots.take_free(2), &stop), async {
                claims.some().await;
                claims.take().expect("it is wanted").failed(store::Error::Busy);
            });
        let Err(NotClaimed::Failed(store::Error::Busy, back)) = failed else { panic!("it failed") };
        assert_eq!((back.len(), slots.free()), (2, 0));
        let ended = tokio::time::timeout(
            Duration::from_secs(5),
            futures_util::future::join(claims.claim(vec![task()], back, &stop), async {
                claims.some().await;
                drop(claims.take());
            }),
        );
        let (ended, ()) = ended.await.expect("it ends");
        assert!(matches!(ended, Err(NotClaimed::Withdrawn)) && slots.free() == 2);
    }

    fn task() -> (RunId, TaskId) {
        (RunId::new(), TaskId::new())
    }
}
