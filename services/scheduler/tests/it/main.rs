//! The scheduler's loops on real stores, with the in-process queue. Time moves by short leases and ages, never by waiting.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;

mod leases;
mod outbox;
mod retention;
mod schedules;
mod service;
mod time_limits;
