//! The queue, in process and on a real RabbitMQ (`AMQP_URL`).

#![expect(
    clippy::unwrap_used,
    reason = "clippy excuses tests, but not the functions that they share"
)]

mod support;

mod contract;

mod broker_crash;
mod connection_loss;
mod topology;
