//! What the orchestrator talks about, and every decision it takes.
//!
//! This crate is pure: no I/O, no clock (`now` is an argument), no SQL, HTTP, AMQP or GitHub. Services ask it what should
//! happen, `store` makes it so in one transaction.
//!
//! Dramatis personae:
//! - A [`trigger::Trigger`] (webhook, API call, schedule, CI event) starts a [`run::Run`].
//! - A run follows a [`workflow::Workflow`], the rules that say which [`task::Task`]s follow which outcome.
//! - A task is executed in attempts by workers, each under a lease and a fence; an attempt ends as a
//!   [`settlement::Settlement`].
//! - Everything that happens is told by an append-only [`history::Event`].

pub mod ids;
pub mod names;

pub mod access;
pub mod delivery;
pub mod history;
pub mod limits;
pub mod message;
pub mod outputs;
pub mod registry;
pub mod retry;
pub mod role;
pub mod run;
pub mod schedule;
pub mod settlement;
pub mod task;
pub mod transcript;
pub mod trigger;
pub mod workflow;
