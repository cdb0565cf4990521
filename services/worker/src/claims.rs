//! What the consumer wants to claim, until a transaction that settles takes it along; see [`Claims::ride`].

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::ids::{RunId, TaskId};
use tokio::{
    sync::{Notify, oneshot},
    time,
};

use crate::slots::Slot;

/// How long the consumer waits for company: a settlement that is stuck must not keep it from claiming.
const PATIENCE: Duration = Duration::from_millis(100);

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
    answer: oneshot::Sender<Left>,
}

/// What is still to be claimed, alone: tasks, and the slots for them.
pub(crate) struct Left {
    pub(crate) tasks: Vec<TaskId>,
    pub(crate) slots: Vec<Slot>,
}

impl Claims {
    /// Has these claimed, and those started that are to be had, by a transaction that settles anyway. Gives back what is left for
    /// a claim of its own: those whose runs somebody had locked, or all, where nothing was to be settled, where no transaction
    /// began in time, or where it failed. Once a transaction is about them it is waited for, so that nothing is claimed and not
    /// started.
    pub(crate) async fn ride(&self, tasks: Vec<(RunId, TaskId)>, slots: Vec<Slot>) -> Left {
        let all = ids(&tasks);
        let (answer, mut answered) = oneshot::channel();
        *self.wanted() = Some(Wanted { tasks, slots, answer });
        self.came.notify_one();
        let heard = match time::timeout(PATIENCE, &mut answered).await {
            Ok(heard) => heard,
            Err(_elapsed) => match self.take() {
                Some(wanted) => return Left { tasks: all, slots: wanted.slots },
                None => answered.await,
            },
        };
        // Without an answer the settling task has panicked, before it could start anything.
        heard.unwrap_or(Left { tasks: all, slots: Vec::new() })
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
    /// Those that were to be had run; these are left, with what is left of the slots.
    pub(crate) fn done(self, tasks: Vec<TaskId>) {
        // The consumer waits for the answer as long as it lives.
        let _unheard = self.answer.send(Left { tasks, slots: self.slots });
    }

    /// Nothing was claimed.
    pub(crate) fn alone(self) {
        let all = ids(&self.tasks);
        self.done(all);
    }
}

fn ids(tasks: &[(RunId, TaskId)]) -> Vec<TaskId> {
    tasks.iter().map(|(_, task)| *task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Slots;

    #[tokio::test]
    async fn what_nobody_takes_is_taken_back_and_what_somebody_has_is_waited_for() {
        let (claims, slots) = (Claims::default(), Slots::new(2));
        let left = claims.ride(vec![task()], slots.take_free(1)).await;
        assert_eq!((left.tasks.len(), left.slots.len()), (1, 1));
        assert!(claims.take().is_none());

        let mut ride = Box::pin(claims.ride(vec![task()], left.slots));
        assert!(futures_util::poll!(&mut ride).is_pending());
        claims.some().await;
        let wanted = claims.take().expect("it is wanted");
        assert!(time::timeout(PATIENCE * 2, &mut ride).await.is_err(), "it waits");
        wanted.done(Vec::new());
        let left = ride.await;
        assert_eq!((left.tasks.len(), left.slots.len(), slots.free()), (0, 1, 1));
    }

    #[tokio::test]
    async fn a_failure_gives_everything_back_and_a_panic_the_tasks() {
        let (claims, slots) = (Claims::default(), Slots::new(2));
        let (left, ()) = tokio::join!(claims.ride(vec![task()], slots.take_free(2)), async {
            claims.some().await;
            claims.take().expect("it is wanted").alone();
        });
        assert_eq!((left.tasks.len(), left.slots.len()), (1, 2));
        let (left, ()) = tokio::join!(claims.ride(vec![task()], left.slots), async {
            claims.some().await;
            drop(claims.take());
        });
        assert_eq!((left.tasks.len(), left.slots.len(), slots.free()), (1, 0, 2));
    }

    fn task() -> (RunId, TaskId) {
        (RunId::new(), TaskId::new())
    }
}
