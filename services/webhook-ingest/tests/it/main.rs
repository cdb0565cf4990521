//! webhook-ingest through its front door: real HTTP, real stores.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod receiver;

mod events;
mod exhausted;
mod limits;
mod load;
mod malformed;
mod once;
mod redelivery;
mod signatures;
mod unavailable;
