//! How many cases, from which seed, on how many stores at once; and the shortest case that fails.
//!
//! Case `n` of a campaign comes from the seed plus `n` alone, so that a failure is played again with
//! `ORCH_MODEL_SEED=… ORCH_MODEL_SEQUENCES=1`.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, try_join_all};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use store::{Store, StoreKind};

use crate::arena::Arena;

/// Tries of shorter cases after a failure.
const SHRINKS: usize = 400;

/// A case that is played on a store: with `closely`, it looks at everything after every step.
pub(crate) type Case<T> = for<'a> fn(&'a Store, &'a T, bool) -> BoxFuture<'a, Result<(), String>>;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Campaign {
    pub(crate) kind: StoreKind,
    /// Unless `ORCH_MODEL_SEQUENCES` says another number.
    pub(crate) cases: u64,
    /// Stores at once.
    pub(crate) arenas: usize,
    /// Connections of each.
    pub(crate) connections: u16,
}

impl Campaign {
    /// Plays cases of `strategy` until one fails, which is then made as short as it can be.
    pub(crate) async fn run<S>(self, strategy: S, case: Case<S::Value>)
    where
        S: Strategy + Clone,
        S::Value: Debug,
    {
        let cases = number("ORCH_MODEL_SEQUENCES").unwrap_or(self.cases);
        let seed = number("ORCH_MODEL_SEED").unwrap_or_else(fresh_seed);
        eprintln!("ORCH_MODEL_SEED={seed} ORCH_MODEL_SEQUENCES={cases}");
        let (started, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let arenas = (0..self.arenas).map(|_| self.work_off(&strategy, case, (seed, cases), &next));
        let failed = try_join_all(arenas).await.err();
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("{} cases in {seconds:.1} s", cases.min(next.load(Ordering::Relaxed)));
        if let Some((number, error)) = failed {
            let seed = seed.wrapping_add(number);
            let (shortest, error) = self.shrink(&strategy, case, seed, error).await;
            panic!(
                "case {number} fails; play it again with ORCH_MODEL_SEED={seed} ORCH_MODEL_SEQUENCES=1\n\
                 the shortest that was found:\n{shortest:?}\n{error}"
            );
        }
    }

    async fn work_off<S>(
        &self,
        strategy: &S,
        case: Case<S::Value>,
        (seed, cases): (u64, u64),
        next: &AtomicU64,
    ) -> Result<(), (u64, String)>
    where
        S: Strategy,
        S::Value: Debug,
    {
        let arena = Arena::open(self.kind, self.connections).await;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cases {
                return Ok(());
            }
            let value = tree(strategy, seed.wrapping_add(number)).current();
            // Each twentieth step by step: an error that a later step hides is seen as well.
            let closely = number.is_multiple_of(20);
            if let Err(error) = case(&arena.store, &value, closely).await {
                // Nobody begins another case.
                next.store(cases, Ordering::Relaxed);
                return Err((number, error));
            }
        }
    }

    /// The shortest case that still fails, and how.
    async fn shrink<S>(
        &self,
        strategy: &S,
        case: Case<S::Value>,
        seed: u64,
        mut error: String,
    ) -> (S::Value, String)
    where
        S: Strategy,
        S::Value: Debug,
    {
        let mut tree = tree(strategy, seed);
        let mut shortest = tree.current();
        let mut simpler = tree.simplify();
        let until = Instant::now() + Duration::from_secs(90);
        let mut arena = Arena::open(self.kind, self.connections).await;
        for _ in 0..SHRINKS {
            if !simpler || Instant::now() > until {
                break;
            }
            let value = tree.current();
            simpler = match case(&arena.store, &value, true).await {
                Ok(()) => tree.complicate(),
                Err(other) => {
                    (shortest, error) = (value, other);
                    if !arena.clear().await {
                        arena = Arena::open(self.kind, self.connections).await;
                    }
                    tree.simplify()
                }
            };
        }
        (shortest, error)
    }
}

fn tree<S: Strategy>(strategy: &S, seed: u64) -> S::Tree {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).expect("the strategies refuse nothing")
}

fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
    let given = std::env::var(variable).ok()?;
    Some(given.parse().unwrap_or_else(|error| panic!("{variable}={given}: {error}")))
}

fn fresh_seed() -> u64 {
    // Below 2^48, which is short enough to be typed.
    u64::from_be_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().expect("16 bytes")) >> 16
}
