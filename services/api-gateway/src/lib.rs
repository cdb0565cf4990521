//! The REST API: everything that people and programs ask of the orchestrator, over HTTP.
//!
//! ```text
//!  gate (key, rate) ─▶ handler: parse ─▶ decide (domain) ─▶ store, one transaction ─▶ answer
//!                                                              └▶ announce what became ready
//! ```
//!
//! The path of the code is the path of the thing: `POST /runs/{id}/cancel` is `runs/cancel.rs`. [`routes`] is the closed
//! list of paths, [`error`] that of error codes, and a test holds both against the OpenAPI description.

#![expect(
    unused_qualifications,
    reason = "utoipa's macros write `<T as IntoParams>` as if it were ours"
)]

mod app;
mod config;
pub mod error;
mod gateway;
pub mod keys;
mod routes;
pub mod settings;

mod answer;
mod auth;
mod create;
mod cursor;
mod faults;
mod metrics;
mod names;
mod object;
mod openapi;
mod repository;
mod request;
mod whole;

mod agents;
mod dead_letters;
mod deliveries;
mod events;
mod runs;
mod schedules;
mod tasks;

#[doc(hidden)]
pub mod fuzzing;

pub use crate::{
    agents::{AgentArgs, AgentDescription},
    config::{Config, check_auth},
    gateway::{Gateway, Parts, run},
};
