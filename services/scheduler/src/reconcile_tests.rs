use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use testkit::eventually;

use super::*;

/// So long that no test ever waits for it.
const NEVER: Duration = Duration::from_secs(3_600);

struct Fixture {
    rounds: Arc<AtomicUsize>,
    wake: watch::Sender<()>,
    board: Board,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

/// Starts a loop whose rounds end as the script says, the last of it for ever.
fn start(period: Duration, script: Vec<Result<Round, &'static str>>) -> Fixture {
    let rounds = Arc::new(AtomicUsize::new(0));
    let (wake, receiver) = watch::channel(());
    let (board, shutdown) = (Board::default(), CancellationToken::new());
    let reins = Reins { board: board.clone(), wake: receiver, shutdown: shutdown.clone() };
    let counter = rounds.clone();
    let ended = tokio::spawn(async move {
        let next = || {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let step = script.get(number).or(script.last()).copied();
            async move {
                match step {
                    Some(Ok(round)) => Ok(round),
                    Some(Err("panic")) => panic!("as the script says"),
                    Some(Err(reason)) => Err(anyhow::anyhow!(reason)),
                    None => Ok(Round::CaughtUp),
                }
            }
        };
        reconcile("scripted", period, reins, next).await;
    });
    Fixture { rounds, wake, board, shutdown, ended }
}

impl Fixture {
    async fn until_rounds(&self, expected: usize) {
        while self.rounds.load(Ordering::SeqCst) < expected {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_full_batch_is_followed_at_once_and_an_idle_loop_waits() {
    let fixture = start(NEVER, vec![Ok(Round::Full), Ok(Round::Full), Ok(Round::CaughtUp)]);
    fixture.until_rounds(3).await;
    tokio::task::yield_now().await;
    assert_eq!(fixture.rounds.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_sleeping_loop_is_woken() {
    let fixture = start(NEVER, vec![Ok(Round::CaughtUp)]);
    fixture.until_rounds(1).await;
    fixture.wake.send_replace(());
    fixture.until_rounds(2).await;
}

#[tokio::test]
async fn an_idle_loop_looks_again_after_its_period() {
    let begun = Instant::now();
    let fixture = start(
        Duration::from_millis(50),
        vec![Ok(Round::CaughtUp), Ok(Round::CaughtUp), Ok(Round::Over)],
    );
    fixture.ended.await.unwrap();
    // Twice the period, each up to a tenth shorter.
    assert!(begun.elapsed() >= Duration::from_millis(90), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn shutdown_ends_a_sleeping_loop() {
    let fixture = start(NEVER, vec![Ok(Round::CaughtUp)]);
    fixture.until_rounds(1).await;
    fixture.shutdown.cancel();
    fixture.ended.await.unwrap();
}

#[tokio::test]
async fn a_failing_loop_goes_on_and_says_so_until_it_works_again() {
    let script = vec![Err("the store is gone"), Err("panic"), Ok(Round::CaughtUp)];
    let fixture = start(Duration::from_millis(1), script);
    let reason =
        eventually("the failure shows", || async { fixture.board.health(Duration::ZERO).err() })
            .await;
    assert!(reason.starts_with("scripted has failed for 0 s: "), "{reason}");
    eventually("it works again", || async { fixture.board.health(Duration::ZERO).ok() }).await;
    assert!(fixture.rounds.load(Ordering::SeqCst) >= 3);
}

#[test]
fn waits_after_failures_double_up_to_a_bound() {
    let waits = [1, 2, 3, 6, 1_000].map(|failures| backoff(failures).as_millis());
    assert_eq!(waits, [200, 400, 800, 5_000, 5_000]);
}

#[test]
fn a_batch_is_full_when_nothing_more_would_have_fitted() {
    assert_eq!(Round::of(0, 10), Round::CaughtUp);
    assert_eq!(Round::of(9, 10), Round::CaughtUp);
    assert_eq!(Round::of(10, 10), Round::Full);
}
