//! The program as its users meet it: a process with arguments, two streams and an exit code, against a server that runs all
//! services on an embedded store with the stub executor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod process;
mod program;
mod repository;
mod server;

mod commands;
mod configuration;
mod dev;
mod dev_settings;
mod doctor;
mod following;
mod keys;
mod usage;
