//! What exists at the broker: every queue and exchange, with the reason for each flag.
//!
//! ```text
//!  publish ─(default exchange)─▶ <prefix>.tasks.<role> ──▶ consumers
//!                                     │ rejected, or delivered too often
//!                                     ▼
//!                     <prefix>.dead-letters (fanout) ──▶ <prefix>.tasks.dead-letters
//! ```
//!
//! Every argument is given although some are defaults, because defaults differ between versions (3.10 has no delivery
//! limit, 4.x has 20), and a queue that was declared with other arguments is refused with 406 `PRECONDITION_FAILED`.

use domain::role::Role;
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::limit::Limit;
use crate::{DeadLettering, Error, QueueArgs};

/// How many dead letters are kept for people to look at. The store knows every task, so the oldest may go.
const MAX_DEAD_LETTERS: i64 = 100_000;

/// Looking at a dead letter in the management page puts it back; that shall not use it up.
const DEAD_LETTER_DELIVERY_LIMIT: i64 = 1_000_000;

/// The names and arguments of one installation.
pub(super) struct Topology {
    prefix: String,
    capacity: i64,
    delivery_limit: i64,
    dead_lettering: DeadLettering,
}

impl Topology {
    pub(super) fn new(args: &QueueArgs) -> Self {
        Self {
            prefix: args.queue_prefix.clone(),
            capacity: args.queue_capacity.into(),
            delivery_limit: args.queue_delivery_limit.into(),
            dead_lettering: args.queue_dead_lettering,
        }
    }

    /// The queue of a role, which is its routing key as well: the default exchange routes by the queue's name.
    pub(super) fn task_queue(&self, role: Role) -> ShortString {
        format!("{}.tasks.{}", self.prefix, role.name()).into()
    }

    fn dead_letter_exchange(&self) -> String {
        format!("{}.dead-letters", self.prefix)
    }

    fn dead_letter_queue(&self) -> ShortString {
        format!("{}.tasks.dead-letters", self.prefix).into()
    }

    /// Makes what is not there yet. Fails if something is there with other arguments.
    pub(super) async fn declare(&self, channel: &Channel, limit: Limit) -> Result<(), Error> {
        let exchange: ShortString = self.dead_letter_exchange().into();
        // Survives a restart of the broker, like the queues that refer to it.
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        // Fanout: a dead letter keeps the name of the queue that it comes from as its routing key.
        let declared = channel.exchange_declare(
            exchange.clone(),
            ExchangeKind::Fanout,
            durable,
            FieldTable::default(),
        );
        limit.call("declare the dead letter exchange", declared).await?;

        let queue = self.dead_letter_queue();
        let declared = channel.queue_declare(queue.clone(), DURABLE, dead_letter_arguments());
        limit.call("declare the dead letter queue", declared).await?;
        let bound = channel.queue_bind(
            queue,
            exchange,
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        limit.call("bind the dead letter queue", bound).await?;

        for role in Role::ALL {
            let declared =
                channel.queue_declare(self.task_queue(*role), DURABLE, self.task_arguments());
            limit.call("declare a task queue", declared).await?;
        }
        Ok(())
    }

    /// Looks whether the queues of these roles are there, and how many messages are ready in each.
    pub(super) async fn look(
        &self,
        channel: &Channel,
        limit: Limit,
        roles: &[Role],
    ) -> Result<Vec<(Role, u64)>, Error> {
        let mut depths = Vec::with_capacity(roles.len());
        for role in roles {
            let passive = QueueDeclareOptions { passive: true, ..DURABLE };
            let looked =
                channel.queue_declare(self.task_queue(*role), passive, FieldTable::default());
            let queue = limit.call("look at a task queue", looked).await?;
            depths.push((*role, u64::from(queue.message_count())));
        }
        Ok(depths)
    }

    fn task_arguments(&self) -> FieldTable {
        let strategy = match self.dead_lettering {
            DeadLettering::AtLeastOnce => "at-least-once",
            DeadLettering::AtMostOnce => "at-most-once",
        };
        table([
            // Replicated by Raft, confirmed when a majority has it on disk.
            ("x-queue-type", text("quorum")),
            // A message that kills its consumer must not go round for ever.
            ("x-delivery-limit", AMQPValue::LongLongInt(self.delivery_limit)),
            ("x-dead-letter-exchange", text(&self.dead_letter_exchange())),
            // At least once: the queue lets go of a dead letter only when the dead letter queue has confirmed it...
            ("x-dead-letter-strategy", text(strategy)),
            // ...which RabbitMQ offers only together with this: a full queue refuses, and never drops, messages.
            ("x-overflow", text("reject-publish")),
            ("x-max-length", AMQPValue::LongLongInt(self.capacity)),
        ])
    }
}

/// Kept across restarts; open to all connections; not deleted with its last consumer.
const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: true,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

fn dead_letter_arguments() -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DEAD_LETTER_DELIVERY_LIMIT)),
        ("x-max-length", AMQPValue::LongLongInt(MAX_DEAD_LETTERS)),
        // The newest tell more; and refusing would keep the task queues from letting go of theirs.
        ("x-overflow", text("drop-head")),
    ])
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}
