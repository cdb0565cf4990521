//! The API through its front door: a server on a port, a client that speaks HTTP, and each of the two stores.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;

mod auth;
mod batch;
mod dead_letters;
mod deliveries;
mod events;
mod exhausted;
mod hostile;
mod idempotency;
mod limits;
mod paging;
mod refusals;
mod runs;
mod schedules;
mod service;
mod stream;
mod tasks;
