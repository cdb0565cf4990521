//! What an operator may set.

use clap::{Args, ValueEnum, value_parser};
use queue::announcer::AnnouncerArgs;
use web::BodyDeadlines;

/// Whether a request needs an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Every request of the API needs one.
    Required,
    /// Nobody needs one. Only where the service listens on loopback alone.
    Off,
}

/// Settings of the API itself. Times are in the unit that the name ends with.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "API")]
pub struct GatewayArgs {
    /// Requests per second that one API key may send in the long run, and one address without a key; 0 is no limit.
    #[arg(long, env = "ORCH_RATE_LIMIT_PER_SECOND", default_value_t = 10_000)]
    pub rate_limit_per_second: u32,

    /// Requests that it may send at once, after a pause.
    #[arg(long, env = "ORCH_RATE_LIMIT_BURST", default_value_t = 20_000)]
    pub rate_limit_burst: u32,

    /// How long an API key is remembered after the store was asked for it; a revoked key works for so long.
    #[arg(long, env = "ORCH_API_KEY_CACHE_MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(0..=5_000))]
    pub api_key_cache_ms: u64,

    /// Bytes of a request's body.
    #[arg(long, env = "ORCH_MAX_BODY_BYTES", default_value_t = 1_048_576, value_parser = value_parser!(u32).range(1_024..=268_435_456))]
    pub max_body_bytes: u32,

    /// Bytes of the body of `POST /tasks/batch`.
    #[arg(long, env = "ORCH_MAX_BATCH_BODY_BYTES", default_value_t = 16_777_216, value_parser = value_parser!(u32).range(1_024..=268_435_456))]
    pub max_batch_body_bytes: u32,

    /// Creations that share one transaction, at most.
    #[arg(long, env = "ORCH_CREATE_BATCH_SIZE", default_value_t = 256, value_parser = value_parser!(u16).range(1..))]
    pub create_batch_size: u16,

    /// Transactions of creations under way at once.
    #[arg(long, env = "ORCH_CREATE_BATCHES_IN_FLIGHT", default_value_t = 2, value_parser = value_parser!(u16).range(1..))]
    pub create_batches_in_flight: u16,

    /// Creations that may wait for a transaction; more are answered with 503.
    #[arg(long, env = "ORCH_CREATE_WAITING", default_value_t = 4_096, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub create_waiting: u32,

    /// Milliseconds that a creation may take before its client is told to try again; what has not begun by then is not done.
    #[arg(long, env = "ORCH_CREATE_ANSWER_MS", default_value_t = 1_200, value_parser = value_parser!(u64).range(1..=60_000))]
    pub create_answer_ms: u64,

    /// Event streams open at once; more are answered with 503.
    #[arg(long, env = "ORCH_MAX_STREAMS", default_value_t = 256)]
    pub max_streams: u32,

    /// How often an event stream looks for new events.
    #[arg(long, env = "ORCH_STREAM_POLL_INTERVAL_MS", default_value_t = 250, value_parser = value_parser!(u64).range(1..=60_000))]
    pub stream_poll_interval_ms: u64,

    /// How often a silent event stream sends a comment, so that nobody between takes the connection for dead.
    #[arg(long, env = "ORCH_STREAM_HEARTBEAT_MS", default_value_t = 15_000, value_parser = value_parser!(u64).range(1..=600_000))]
    pub stream_heartbeat_ms: u64,

    /// How long a client of an event stream may read nothing before its place is given away.
    #[arg(long, env = "ORCH_STREAM_PATIENCE_MS", default_value_t = 30_000, value_parser = value_parser!(u64).range(1..=600_000))]
    pub stream_patience_ms: u64,
}

impl Default for GatewayArgs {
    /// The documented defaults, without a look at the environment.
    fn default() -> Self {
        Self {
            rate_limit_per_second: 10_000,
            rate_limit_burst: 20_000,
            api_key_cache_ms: 5_000,
            max_body_bytes: 1_048_576,
            max_batch_body_bytes: 16_777_216,
            create_batch_size: 256,
            create_batches_in_flight: 2,
            create_waiting: 4_096,
            create_answer_ms: 1_200,
            max_streams: 256,
            stream_poll_interval_ms: 250,
            stream_heartbeat_ms: 15_000,
            stream_patience_ms: 30_000,
        }
    }
}

/// Everything that the API needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub args: GatewayArgs,
    pub auth: Auth,
    /// Whether a run may work on a path of this machine.
    pub allow_local_repositories: bool,
    pub deadlines: BodyDeadlines,
    pub announcer: AnnouncerArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        gateway: GatewayArgs,
    }

    #[test]
    fn the_defaults_in_code_are_those_of_the_command_line() {
        assert_eq!(Program::parse_from(["program"]).gateway, GatewayArgs::default());
    }
}
