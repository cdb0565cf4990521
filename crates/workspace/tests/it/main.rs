//! Workspaces on real git repositories of this machine. Speaking to a server is tested in the package `e2e`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixture;

mod changing;
mod hostile;
mod opening;
mod pushing;
mod upkeep;
