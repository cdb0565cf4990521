//! The database and the broker of our own.

use anyhow::Result;
use testbed::{Postgres, RabbitMq};

/// What all scenarios use, one after the other.
pub(crate) struct Servers {
    pub(crate) postgres: Postgres,
    pub(crate) rabbitmq: RabbitMq,
}

impl Servers {
    pub(crate) async fn start() -> Result<Self> {
        let (postgres, rabbitmq) = tokio::join!(Postgres::start(&[]), RabbitMq::start());
        Ok(Self { postgres: postgres?, rabbitmq: rabbitmq? })
    }
}
