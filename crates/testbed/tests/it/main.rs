//! The parts start, break as asked, come back, and leave nothing behind.

#![expect(
    clippy::unwrap_used,
    reason = "clippy excuses tests, but not the functions that they share"
)]

mod fault_proxy;
mod postgres;
mod rabbitmq;
mod service;
