//! Each target for a moment, as one of the tests. `FUZZ_MS` is how long, `FUZZ_SEED` the number that inputs are made from.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fuzz::{TARGETS, Target, corpus, mutation::Mutator};

/// No input of a few kilobytes may take so long, on a machine that does much else besides.
const SLOW: Duration = Duration::from_secs(10);

fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
    let given = std::env::var(variable).ok()?;
    given.parse().ok()
}

fn run(name: &str) {
    let target = Target::named(name).unwrap_or_else(|| panic!("{name} is a target"));
    let seeds = corpus::seeds(name).unwrap_or_else(|error| panic!("{name} has seeds: {error}"));
    assert!(!seeds.is_empty(), "{name} has seeds");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("FUZZ_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    let time = Duration::from_millis(number("FUZZ_MS").unwrap_or(1_500));
    let mut mutator = Mutator::new(seed);
    let (started, mut executions) = (Instant::now(), 0_u64);
    let mut inputs = seeds.clone().into_iter();
    while executions < seeds.len() as u64 || started.elapsed() < time {
        let input = inputs.next().unwrap_or_else(|| mutator.next(&seeds));
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(&input)));
        let told = input.escape_ascii();
        assert!(
            outcome.is_ok(),
            "{name}, FUZZ_SEED={seed}: a promise does not hold for \"{told}\""
        );
        let took = begun.elapsed();
        assert!(took < SLOW, "{name}, FUZZ_SEED={seed}: {took:?} for \"{told}\"");
        executions += 1;
    }
    eprintln!("{name}: {executions} executions, FUZZ_SEED={seed}");
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_tried() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(signature, headers, envelope, body, cursor, query, json, merge_patch, schedule, message);
