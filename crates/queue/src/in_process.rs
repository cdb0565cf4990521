//! The queue in this process's memory, for one process that does everything.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use domain::{message::Message, role::Role};
use tokio::sync::Notify;

use crate::{
    Delivery, Disposition, Error, PublishError, Queue, QueueArgs, QueueStatus, Receipt,
    Subscription, metrics,
};

/// See the module.
pub(crate) struct InProcessQueue {
    shared: Arc<Shared>,
}

struct Shared {
    /// Never held across an await.
    state: Mutex<State>,
    /// Rung whenever a subscription may find something that was not there before.
    changed: Notify,
    capacity: usize,
    /// How often a message is delivered again before it is dropped. There is nobody to look at dead letters here; the
    /// store lists the tasks.
    delivery_limit: u32,
}

#[derive(Default)]
struct State {
    ready: BTreeMap<Role, VecDeque<Waiting>>,
    next_receipt: u64,
    closed: bool,
}

#[derive(Clone, Copy)]
struct Waiting {
    message: Message,
    /// How often it came back.
    returns: u32,
}

impl InProcessQueue {
    pub(crate) fn new(args: &QueueArgs) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            changed: Notify::new(),
            capacity: usize::try_from(args.queue_capacity).unwrap_or(usize::MAX),
            delivery_limit: args.queue_delivery_limit,
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl Queue for InProcessQueue {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let outcomes: Vec<_> = {
            let mut state = self.shared.lock();
            messages.iter().map(|message| state.add(*message, self.shared.capacity)).collect()
        };
        self.shared.changed.notify_waiters();
        metrics::published(&outcomes);
        outcomes
    }

    async fn subscribe(&self, roles: &[Role], prefetch: u16) -> Box<dyn Subscription> {
        Box::new(InProcessSubscription {
            shared: self.shared.clone(),
            roles: roles.iter().copied().collect(),
            prefetch: usize::from(prefetch.max(1)),
            unsettled: HashMap::new(),
        })
    }

    fn status(&self) -> QueueStatus {
        QueueStatus::Up
    }

    async fn depths(&self) -> Result<Vec<(Role, u64)>, Error> {
        let state = self.shared.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        let depth = |role: Role| state.ready.get(&role).map_or(0, |waiting| waiting.len() as u64);
        Ok(Role::ALL.iter().map(|role| (*role, depth(*role))).collect())
    }

    async fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts messages back where they came from: first in the queue, in their order, unless they came back too often.
    fn give_back(&self, mut returned: Vec<(u64, Waiting)>) {
        returned.sort_by_key(|(receipt, _)| *receipt);
        let mut state = self.lock();
        for (_, mut waiting) in returned.into_iter().rev() {
            waiting.returns += 1;
            if waiting.returns > self.delivery_limit {
                drop_dead_letter(&waiting.message, "it was delivered too often");
            } else {
                state.ready.entry(waiting.message.role).or_default().push_front(waiting);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

fn drop_dead_letter(message: &Message, reason: &str) {
    tracing::warn!(
        task.id = %message.task_id,
        run.id = %message.run_id,
        "A message for {} was dropped: {reason}",
        message.role
    );
}

impl State {
    fn add(&mut self, message: Message, capacity: usize) -> Result<(), PublishError> {
        if self.closed {
            return Err(PublishError::Closed);
        }
        let waiting = self.ready.entry(message.role).or_default();
        if waiting.len() >= capacity {
            return Err(PublishError::Full);
        }
        waiting.push_back(Waiting { message, returns: 0 });
        Ok(())
    }
}

struct InProcessSubscription {
    shared: Arc<Shared>,
    /// In the order in which they are asked; the one that was served goes last.
    roles: VecDeque<Role>,
    prefetch: usize,
    unsettled: HashMap<u64, Waiting>,
}

impl InProcessSubscription {
    /// Takes up to `max` messages, one of each role in turn. `None` if the queue is closed.
    fn take(&mut self, max: usize) -> Option<Vec<Delivery>> {
        let mut allowed: HashMap<Role, usize> =
            self.roles.iter().map(|role| (*role, self.prefetch)).collect();
        for waiting in self.unsettled.values() {
            allowed.entry(waiting.message.role).and_modify(|left| *left = left.saturating_sub(1));
        }

        let shared = self.shared.clone();
        let mut state = shared.lock();
        if state.closed {
            return None;
        }
        let mut taken = Vec::new();
        let mut empty_in_a_row = 0;
        while taken.len() < max && empty_in_a_row < self.roles.len() {
            let role = self.roles[0];
            self.roles.rotate_left(1);
            let left = allowed.entry(role).or_insert(0);
            let next = if *left == 0 {
                None
            } else {
                state.ready.get_mut(&role).and_then(VecDeque::pop_front)
            };
            let Some(waiting) = next else {
                empty_in_a_row += 1;
                continue;
            };
            empty_in_a_row = 0;
            *left -= 1;
            let receipt = state.next_receipt;
            state.next_receipt += 1;
            self.unsettled.insert(receipt, waiting);
            taken.push(Delivery {
                body: Ok(waiting.message),
                role,
                redelivered: waiting.returns > 0,
                receipt: Receipt::InProcess(receipt),
            });
        }
        Some(taken)
    }
}

#[async_trait]
impl Subscription for InProcessSubscription {
    async fn receive(&mut self, max: usize) -> Option<Vec<Delivery>> {
        let shared = self.shared.clone();
        loop {
            // Listening begins before looking, so that nothing slips in between.
            let changed = shared.changed.notified();
            let taken = self.take(max.max(1))?;
            if !taken.is_empty() {
                metrics::delivered(taken.len());
                return Some(taken);
            }
            changed.await;
        }
    }

    async fn settle(&mut self, deliveries: Vec<(Delivery, Disposition)>) -> usize {
        let mut settled = 0;
        let mut returned = Vec::new();
        for (delivery, disposition) in deliveries {
            let Receipt::InProcess(receipt) = delivery.receipt else { continue };
            let Some(waiting) = self.unsettled.remove(&receipt) else { continue };
            settled += 1;
            match disposition {
                Disposition::Ack => {}
                Disposition::Requeue => returned.push((receipt, waiting)),
                Disposition::DeadLetter => {
                    drop_dead_letter(&waiting.message, "the consumer could not deal with it")
                }
            }
        }
        if !returned.is_empty() {
            self.shared.give_back(returned);
        }
        settled
    }

    async fn close(self: Box<Self>) {}
}

impl Drop for InProcessSubscription {
    fn drop(&mut self) {
        let unsettled: Vec<_> = self.unsettled.drain().collect();
        if !unsettled.is_empty() {
            self.shared.give_back(unsettled);
        }
    }
}
