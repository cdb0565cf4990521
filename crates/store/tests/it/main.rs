//! One suite for both stores: what is promised of one is promised of the other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancelling;
mod claims;
mod creation;
mod dependencies;
mod failures;
mod intake;
mod lists;
mod migrations;
mod outbox;
mod riding;
mod runs;
mod scene;
mod schedules;
