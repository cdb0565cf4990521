//! The rules of the domain, held against ten thousand random cases each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attempts;
mod plans;
mod schedules;
mod statuses;
mod workflows;

use proptest::test_runner::Config;

/// How many cases each rule is held against.
fn cases() -> Config {
    // They are cheap, and a failure is printed with all that made it: nothing is kept in files.
    Config { failure_persistence: None, ..Config::with_cases(10_000) }
}
