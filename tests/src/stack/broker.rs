//! Queues of one's own at the RabbitMQ of `AMQP_URL`.

use domain::role::Role;
use lapin::{
    Connection, ConnectionProperties,
    options::{ExchangeDeleteOptions, QueueDeleteOptions},
};
use uuid::Uuid;

/// Where tests find a RabbitMQ, if `AMQP_URL` does not say.
const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672";

/// A prefix for the names of queues. The services make the queues; they go when this is dropped.
pub(super) struct Broker {
    url: String,
    prefix: String,
}

impl Broker {
    pub(super) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
        let given = std::env::var("AMQP_URL");
        let url = given.unwrap_or_else(|_unset| DEFAULT_URL.to_owned());
        Self { url, prefix: format!("e2e-{}", Uuid::now_v7().simple()) }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), self.prefix.clone());
        in_a_thread(async move {
            // What cannot be removed stays, under a name that nobody uses again.
            if let Err(error) = remove(&url, &prefix).await {
                eprintln!("the queues {prefix}.* could not be removed: {error}");
            }
        });
    }
}

async fn remove(url: &str, prefix: &str) -> Result<(), lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    for name in Role::ALL.iter().map(|role| role.name()).chain(["dead-letters"]) {
        let queue = format!("{prefix}.tasks.{name}");
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    let exchange = format!("{prefix}.dead-letters");
    channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
    connection.close(200, "the test is over".into()).await
}

/// Runs something to its end on a runtime of its own: that of the test is about to end.
pub(super) fn in_a_thread(work: impl Future<Output = ()> + Send + 'static) {
    let cleaning = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(work))
    });
    drop(cleaning.join());
}
