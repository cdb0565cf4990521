//! The program as its users meet it: a process with arguments, two streams and an exit code, against a server that runs all
//! services on an embedded store with the stub executor.

mod program;
mod repository;
mod server;

mod commands;
mod configuration;
mod dev;
mod doctor;
mod following;
mod keys;
mod usage;
