//! The web crate through real sockets.

#![expect(clippy::unwrap_used, reason = "what is not as a test wants it ends the test")]

mod client;
mod drain;
mod probes;
mod refusals;
mod slow;
