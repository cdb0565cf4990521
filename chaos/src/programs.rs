//! Our programs, and what each is told by its environment.

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    ApiGateway,
    WebhookIngest,
    Worker,
    Scheduler,
}

impl Program {
    pub(crate) const ALL: [Self; 4] =
        [Self::ApiGateway, Self::WebhookIngest, Self::Worker, Self::Scheduler];

    /// The name of its binary.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "api-gateway",
            Self::WebhookIngest => "webhook-ingest",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }
}

/// How long a worker keeps a task without a sign of life.
pub(crate) const LEASE_MS: u64 = 2_000;
/// What the services are given to end by themselves.
pub(crate) const GRACE_MS: u64 = 4_000;
/// What webhooks are signed with.
pub(crate) const SECRET: &str = "chaos-has-a-secret";

/// What every program is told. Waits are short, so that minutes are enough to see what takes an hour in production.
const EVERYBODY: &[(&str, &str)] = &[
    ("ORCH_TASK_STORE", "postgres"),
    ("TASK_QUEUE", "rabbitmq"),
    ("ORCH_HOST", "127.0.0.1"),
    ("ORCH_PORT", "0"),
    ("ORCH_LOG", "info"),
    ("ORCH_HTTP_WORKERS", "1"),
    ("ORCH_SHUTDOWN_GRACE_SECONDS", "4"),
    ("ORCH_DATABASE_STATEMENT_TIMEOUT_MS", "5000"),
    ("ORCH_QUEUE_HEARTBEAT_SECONDS", "2"),
    ("ORCH_QUEUE_RECONNECT_MAX_MS", "1000"),
    ("ORCH_QUEUE_CALL_LIMIT_MS", "3000"),
    ("ORCH_QUEUE_CHECK_INTERVAL_MS", "3000"),
    // Queues come and go here: the way of dead letters that stands it.
    ("ORCH_QUEUE_DEAD_LETTERING", "at-most-once"),
    ("ORCH_WORKER_BACKOFF_MS", "100"),
    // Faults cost attempts; a task shall fail only because it was made to.
    ("ORCH_WORKER_MAX_RETRIES", "40"),
];

const WORKER: &[(&str, &str)] = &[
    ("ORCH_WORKER_LEASE_MS", "2000"),
    ("ORCH_WORKER_CONCURRENCY", "16"),
    ("ORCH_SHUTDOWN_GRACE_MS", "4000"),
];

const SCHEDULER: &[(&str, &str)] = &[
    ("ORCH_SCHEDULER_RESCUE_MS", "250"),
    ("ORCH_SCHEDULER_SWEEP_MS", "500"),
    ("ORCH_SCHEDULER_LEFT_BEHIND_MS", "2000"),
    ("ORCH_SCHEDULER_REMIND_MS", "1000"),
    ("ORCH_SCHEDULER_UNCLAIMED_MS", "3000"),
];

/// The settings of a program that do not depend on where its servers are.
pub(crate) fn settings(program: Program) -> Vec<(String, String)> {
    let own: &[(&str, &str)] = match program {
        Program::ApiGateway => &[("ORCH_AUTH", "off")],
        Program::WebhookIngest => &[("GITHUB_WEBHOOK_SECRET", SECRET)],
        Program::Worker => WORKER,
        Program::Scheduler => SCHEDULER,
    };
    let all = EVERYBODY.iter().chain(own);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
