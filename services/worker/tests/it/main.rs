//! The worker on a real store, with the queue in this process and agents that follow a script.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod repository;
mod script;
mod stage;

mod attempts;
mod cancelling;
mod ending;
mod follow_ups;
mod growing;
mod intake;
mod leases;
mod refusing;
