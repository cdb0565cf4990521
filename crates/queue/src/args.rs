//! The settings of the queue.

use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use secrecy::SecretString;

/// Which queue carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueueKind {
    /// In this process's memory: for one process that does everything. What is lost with it is found again in the store.
    #[value(name = "in-process")]
    InProcess,
    /// RabbitMQ: for services that run as processes of their own.
    #[value(name = "rabbitmq")]
    RabbitMq,
}

/// How RabbitMQ moves a message to the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeadLettering {
    /// The dead letter queue has confirmed it before the task queue lets go of it.
    #[value(name = "at-least-once")]
    AtLeastOnce,
    /// It is lost if the broker fails at that moment. The store still knows the task.
    #[value(name = "at-most-once")]
    AtMostOnce,
}

/// What the queue needs to know. Times are in the unit that the name ends with.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Task queue")]
pub struct QueueArgs {
    /// The queue that tells workers of tasks.
    #[arg(long, env = "TASK_QUEUE", value_enum, default_value = "in-process")]
    pub task_queue: QueueKind,

    /// Where RabbitMQ is: `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. Set it by environment: arguments
    /// can be read by everybody on the machine.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    pub amqp_url: SecretString,

    /// What the names of queues and exchanges begin with; installations that share a broker need different ones.
    #[arg(long, env = "ORCH_QUEUE_PREFIX", default_value = "orchestrator", value_parser = parse_prefix)]
    pub queue_prefix: String,

    /// How many deliveries of one role a consumer holds before it has settled one.
    #[arg(long, env = "ORCH_QUEUE_PREFETCH", default_value_t = 64, value_parser = value_parser!(u16).range(1..))]
    pub queue_prefetch: u16,

    /// How many messages wait for one role at most; more are refused and stay in the outbox. RabbitMQ keeps the value
    /// with which a queue was first made: delete the queue to change it.
    #[arg(long, env = "ORCH_QUEUE_CAPACITY", default_value_t = 1_000_000, value_parser = value_parser!(u32).range(1..))]
    pub queue_capacity: u32,

    /// How often a message is delivered again before it is a dead letter. RabbitMQ keeps the first value, as for the
    /// capacity.
    #[arg(long, env = "ORCH_QUEUE_DELIVERY_LIMIT", default_value_t = 20, value_parser = value_parser!(u32).range(1..))]
    pub queue_delivery_limit: u32,

    /// How dead letters get to their queue. RabbitMQ keeps the first value. At least once costs a process for each queue
    /// at the broker; one that dies because its queue is deleted while it starts can take those of all queues with it,
    /// until that node is restarted (seen with 3.10.8). Choose at most once where queues come and go.
    #[arg(long, env = "ORCH_QUEUE_DEAD_LETTERING", value_enum, default_value = "at-least-once")]
    pub queue_dead_lettering: DeadLettering,

    /// How long one call to the broker, or the publishing of one batch, may take. What takes longer is taken for lost.
    #[arg(long, env = "ORCH_QUEUE_CALL_LIMIT_MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..))]
    pub queue_call_limit_ms: u64,

    /// How long publishing waits for a connection that was lost a moment ago; after that it fails at once.
    #[arg(long, env = "ORCH_QUEUE_PATIENCE_MS", default_value_t = 2_000)]
    pub queue_patience_ms: u64,

    /// Heartbeat agreed with RabbitMQ; a broker silent for twice as long is taken for dead.
    #[arg(long, env = "ORCH_QUEUE_HEARTBEAT_SECONDS", default_value_t = 10, value_parser = value_parser!(u16).range(1..))]
    pub queue_heartbeat_seconds: u16,

    /// How often it is looked whether the queues are still there.
    #[arg(long, env = "ORCH_QUEUE_CHECK_INTERVAL_MS", default_value_t = 30_000, value_parser = value_parser!(u64).range(1..))]
    pub queue_check_interval_ms: u64,

    /// Wait before the first attempt to connect again; it doubles with every failed one, with jitter.
    #[arg(long, env = "ORCH_QUEUE_RECONNECT_MIN_MS", default_value_t = 200, value_parser = value_parser!(u64).range(1..))]
    pub queue_reconnect_min_ms: u64,

    /// The longest wait between two attempts to connect.
    #[arg(long, env = "ORCH_QUEUE_RECONNECT_MAX_MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..))]
    pub queue_reconnect_max_ms: u64,

    /// How many batches are published at the same time, each on a channel of its own; more wait for their turn.
    #[arg(long, env = "ORCH_QUEUE_PUBLISH_CHANNELS", default_value_t = 8, value_parser = value_parser!(u16).range(1..=256))]
    pub queue_publish_channels: u16,
}

impl QueueArgs {
    pub(crate) const fn call_limit(&self) -> Duration {
        Duration::from_millis(self.queue_call_limit_ms)
    }

    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_millis(self.queue_patience_ms)
    }

    pub(crate) const fn check_interval(&self) -> Duration {
        Duration::from_millis(self.queue_check_interval_ms)
    }
}

/// AMQP names have at most 255 bytes; what we put after the prefix has less than 100.
const MAX_PREFIX_BYTES: usize = 100;

fn parse_prefix(given: &str) -> Result<String, String> {
    let allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    if given.is_empty() || given.len() > MAX_PREFIX_BYTES || !given.chars().all(allowed) {
        return Err(format!("use 1 to {MAX_PREFIX_BYTES} letters, digits, `.`, `-` or `_`"));
    }
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        queue: QueueArgs,
    }

    #[test]
    fn a_queue_that_does_not_exist_is_refused_with_those_that_do() {
        let error = Cli::try_parse_from(["test", "--task-queue", "redis"]).unwrap_err().to_string();
        assert!(error.contains("'redis'") && error.contains("in-process, rabbitmq"), "{error}");
    }

    #[test]
    fn a_prefix_that_amqp_could_not_carry_is_refused() {
        for (given, allowed) in [
            ("orchestrator", true),
            ("a.b-c_1", true),
            ("", false),
            ("a b", false),
            (&"x".repeat(101), false),
        ] {
            assert_eq!(
                Cli::try_parse_from(["test", "--queue-prefix", given]).is_ok(),
                allowed,
                "{given}"
            );
        }
    }

    #[test]
    fn the_url_does_not_show_in_what_is_logged() {
        let cli =
            Cli::try_parse_from(["test", "--amqp-url", "amqp://me:hunter2@somewhere"]).unwrap();
        assert!(!format!("{cli:?}").contains("hunter2"));
    }
}
