use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use domain::{
    ids::{RunId, TaskId},
    role::Role,
};
use tokio::sync::Semaphore;

use super::*;
use crate::{Error, PublishError, QueueStatus, Subscription};

/// A queue that publishes a batch when the test lets it, and refuses tasks of testers.
#[derive(Default)]
struct GatedQueue {
    gate: Option<Semaphore>,
    batches: Mutex<Batches>,
}

#[derive(Default)]
struct Batches {
    sizes: Vec<usize>,
    in_flight: usize,
    most_in_flight: usize,
}

impl GatedQueue {
    fn open() -> Arc<Self> {
        Arc::default()
    }

    fn gated() -> Arc<Self> {
        Arc::new(Self { gate: Some(Semaphore::new(0)), ..Self::default() })
    }

    fn let_through(&self, batches: usize) {
        self.gate.as_ref().expect("a gated queue").add_permits(batches);
    }

    fn read<T>(&self, what: impl FnOnce(&mut Batches) -> T) -> T {
        what(&mut self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Queue for GatedQueue {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        self.read(|it| {
            it.sizes.push(messages.len());
            it.in_flight += 1;
            it.most_in_flight = it.most_in_flight.max(it.in_flight);
        });
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        self.read(|it| it.in_flight -= 1);
        let result = |it: &Message| {
            if it.role == Role::Tester { Err(PublishError::Refused) } else { Ok(()) }
        };
        messages.iter().map(result).collect()
    }

    async fn subscribe(&self, _roles: &[Role], _prefetch: u16) -> Box<dyn Subscription> {
        unreachable!("an announcer only publishes")
    }

    fn status(&self) -> QueueStatus {
        QueueStatus::Up
    }

    async fn depths(&self) -> Result<Vec<(Role, u64)>, Error> {
        Ok(Vec::new())
    }

    async fn close(&self) {}
}

/// An announcer, what it forgot so far, and its end.
struct Started {
    announcer: Announcer,
    forgotten: Arc<Mutex<Vec<i64>>>,
    shutdown: CancellationToken,
    end: JoinHandle<()>,
}

fn start(args: AnnouncerArgs, queue: &Arc<GatedQueue>) -> Started {
    let forgotten = Arc::new(Mutex::new(Vec::new()));
    let shutdown = CancellationToken::new();
    let forget = {
        let forgotten = forgotten.clone();
        move |ids: Vec<i64>| -> BoxFuture<'static, bool> {
            forgotten.lock().unwrap().extend(ids);
            Box::pin(async { true })
        }
    };
    let (announcer, end) = Announcer::start_with(args, queue.clone(), forget, shutdown.clone());
    Started { announcer, forgotten, shutdown, end }
}

impl Started {
    /// Ends it; gives back the rows that were forgotten, in order.
    async fn finish(self) -> Vec<i64> {
        self.shutdown.cancel();
        time::timeout(Duration::from_secs(10), self.end).await.expect("it ends").unwrap();
        let mut ids = self.forgotten.lock().unwrap().clone();
        ids.sort_unstable();
        ids
    }
}

fn messages(ids: impl IntoIterator<Item = i64>, role: Role) -> Vec<OutboxMessage> {
    let message = Message { task_id: TaskId::new(), run_id: RunId::new(), role, attempt: 1 };
    ids.into_iter().map(|id| OutboxMessage { id, message }).collect()
}

/// Waits until the queue's batches are as wanted.
async fn until(queue: &GatedQueue, wanted: impl Fn(&mut Batches) -> bool) {
    let wait = async {
        while !queue.read(&wanted) {
            tokio::task::yield_now().await;
        }
    };
    time::timeout(Duration::from_secs(10), wait).await.expect("it comes to that");
}

#[tokio::test]
async fn only_rows_whose_message_was_confirmed_are_forgotten() {
    let it = start(AnnouncerArgs::default(), &GatedQueue::open());
    it.announcer.announce(messages([1, 2], Role::Reviewer));
    it.announcer.announce(messages([3], Role::Tester));
    it.announcer.announce(messages([4], Role::Architect));
    assert_eq!(it.finish().await, [1, 2, 4]);
}

#[tokio::test]
async fn a_full_buffer_drops_what_does_not_fit_and_never_waits() {
    let queue = GatedQueue::gated();
    let it = start(AnnouncerArgs { announce_buffer: 3, ..AnnouncerArgs::default() }, &queue);
    it.announcer.announce(messages(1..=10, Role::Reviewer));
    until(&queue, |it| it.sizes == [3]).await;
    it.announcer.announce(messages(11..=12, Role::Reviewer));
    queue.let_through(9);
    assert_eq!(it.finish().await, [1, 2, 3, 11, 12]);
}

#[tokio::test]
async fn batches_are_bounded_in_size_and_in_number_at_once() {
    let queue = GatedQueue::gated();
    let it = start(AnnouncerArgs { announce_batch: 4, ..AnnouncerArgs::default() }, &queue);
    it.announcer.announce(messages(1..=18, Role::Reviewer));
    until(&queue, |it| it.in_flight == 2).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(queue.read(|it| it.sizes.clone()), [4, 4]);
    queue.let_through(99);
    assert_eq!(it.finish().await, (1..=18).collect::<Vec<_>>());
    assert_eq!(queue.read(|it| (it.sizes.clone(), it.most_in_flight)), (vec![4, 4, 4, 4, 2], 2));
}

#[tokio::test]
async fn rows_confirmed_at_about_the_same_time_are_forgotten_together() {
    let statements = Arc::new(Mutex::new(Vec::new()));
    let forget = {
        let statements = statements.clone();
        move |ids: Vec<i64>| -> BoxFuture<'static, bool> {
            statements.lock().unwrap().push(ids.len());
            Box::pin(async { true })
        }
    };
    let shutdown = CancellationToken::new();
    let queue = GatedQueue::open();
    let args =
        AnnouncerArgs { announce_batch: 1, announce_forget_ms: 2_000, ..AnnouncerArgs::default() };
    let (announcer, end) = Announcer::start_with(args, queue.clone(), forget, shutdown.clone());
    announcer.announce(messages(1..=20, Role::Reviewer));
    until(&queue, |it| it.sizes.len() == 20 && it.in_flight == 0).await;
    shutdown.cancel();
    end.await.unwrap();
    assert_eq!(*statements.lock().unwrap(), [20]);
}

#[tokio::test]
async fn a_broker_that_hangs_does_not_keep_a_service_from_ending() {
    let queue = GatedQueue::gated();
    let it = start(AnnouncerArgs { announce_drain_ms: 20, ..AnnouncerArgs::default() }, &queue);
    it.announcer.announce(messages([1], Role::Reviewer));
    assert_eq!(it.finish().await, [0_i64; 0]);
}

#[tokio::test]
async fn what_is_announced_after_the_end_is_left_to_the_scheduler() {
    let it = start(AnnouncerArgs::default(), &GatedQueue::open());
    let late = it.announcer.clone();
    assert_eq!(it.finish().await, [0_i64; 0]);
    late.announce(messages([7], Role::Reviewer));
}

#[test]
fn the_defaults_in_code_are_those_of_the_command_line() {
    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        announcer: AnnouncerArgs,
    }
    let parsed = <Program as clap::Parser>::parse_from(["program"]).announcer;
    assert_eq!(parsed, AnnouncerArgs::default());
}
