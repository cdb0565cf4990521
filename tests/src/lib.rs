//! End-to-end tests: the programs as processes of their own, on a real Postgres and RabbitMQ, with a git server and a model
//! server that a test directs.
//!
//! Dramatis personae:
//! - A [`Stack`](stack::Stack) is one installation: all services, on a database and queues of its own.
//! - Its [`Api`](api::Api) is how a test asks what became of things; every answer is checked against the OpenAPI description.
//! - A [`ModelServer`](model_server::ModelServer) plays a script and checks what it is sent.
//! - A [`GitServer`](git_http::GitServer) serves repositories over HTTP with tokens.
//! - A [`Delivery`](delivery::Delivery) is a webhook as GitHub sends it.

pub mod stack;

pub mod api;
pub mod metrics;
pub mod wait;

pub mod delivery;
pub mod git_http;
pub mod model_server;
