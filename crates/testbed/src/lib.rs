//! Real parts that tests and measurements start for themselves, and may break: a PostgreSQL server, a RabbitMQ node, our own
//! programs as processes, and a proxy that breaks connections between them.
//!
//! Each has a folder and ports of its own, and goes with everything it started when it is dropped. What a killed test left
//! behind is ended and removed by the next one that starts something.

mod binaries;
mod fault_proxy;
mod folder;
mod port;
mod postgres;
mod processes;
mod rabbitmq;
mod service;

pub use binaries::Binaries;
pub use fault_proxy::{Direction, FaultProxy, Rule};
pub use port::{free_address, until_open};
pub use postgres::Postgres;
pub use processes::{descendants, signal_all};
pub use rabbitmq::RabbitMq;
pub use rustix::process::Signal;
pub use service::{Exit, Service};
