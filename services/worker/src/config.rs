//! Settings of the worker.

use std::time::Duration;

use agent_executor::{
    ExecutorArgs,
    settings::{Reader, SettingErrors},
};
use clap::{Args, Parser};
use domain::{retry::RetryPolicy, role::Role};
use queue::{QueueKind, announcer::AnnouncerArgs};
use store::StoreKind;

/// Claims tasks and executes them with agents. Scales by running more of them; each can be limited to some roles.
#[derive(Clone, Debug, Parser)]
#[command(name = "worker", version)]
pub struct Config {
    #[command(flatten)]
    pub worker: WorkerArgs,
    #[command(flatten)]
    pub executor: ExecutorArgs,
    #[command(flatten)]
    pub workspace: workspace::WorkspaceArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub serve: web::ServeArgs,
    #[command(flatten)]
    pub database: store::DatabaseArgs,
    #[command(flatten)]
    pub queue: queue::QueueArgs,
    #[command(flatten)]
    pub announcer: AnnouncerArgs,
    #[command(flatten)]
    pub telemetry: telemetry::TelemetryArgs,
}

impl Config {
    /// What is wrong beyond what clap sees, one sentence each.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut note =
            |errors: SettingErrors| wrong.extend(errors.0.iter().map(ToString::to_string));
        if let Err(errors) = self.worker.clone().parse() {
            note(errors);
        }
        if let Err(errors) = self.executor.clone().parse() {
            note(errors);
        }
        match self.database.kind() {
            Ok(StoreKind::Postgres) => {}
            Ok(StoreKind::Sqlite) => wrong.push(
                "ORCH_TASK_STORE is \"sqlite\": use postgres for a worker of its own; `orch dev` has one for the \
                 embedded store"
                    .to_owned(),
            ),
            Err(error) => wrong.push(error.to_string()),
        }
        if self.queue.task_queue == QueueKind::InProcess {
            wrong.push(
                "TASK_QUEUE is \"in-process\": use rabbitmq for a worker of its own; nobody reaches it otherwise"
                    .to_owned(),
            );
        }
        wrong
    }
}

/// Where the health port listens.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct ListenArgs {
    /// Address on which health, readiness and metrics are served.
    #[arg(long, env = "ORCH_HOST", default_value = "0.0.0.0")]
    pub host: String,
    /// Port of the same; 0 takes a free one.
    #[arg(long, env = "ORCH_PORT", default_value_t = 8082)]
    pub port: u16,
}

/// How tasks are taken and executed. An empty value counts as unset.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Worker")]
pub struct WorkerArgs {
    /// Whether this process executes tasks at all: true, false [default: true]
    #[arg(long, env = "ORCH_WORKER_ENABLED", value_name = "SWITCH")]
    pub worker_enabled: Option<String>,
    /// Tasks executed at once, 1 to 20000 [default: 64]
    #[arg(long, env = "ORCH_WORKER_CONCURRENCY", value_name = "TASKS")]
    pub worker_concurrency: Option<String>,
    /// Roles whose tasks are taken, with commas [default: all]
    #[arg(long, env = "ORCH_WORKER_ROLES", value_name = "ROLES")]
    pub worker_roles: Option<String>,
    /// Milliseconds between two looks for queued tasks whose message was lost [default: 500]
    #[arg(long, env = "ORCH_WORKER_POLL_INTERVAL_MS", value_name = "MS")]
    pub worker_poll_interval_ms: Option<String>,
    /// Retries of a task whose attempt failed, 0 to 100 [default: 3]
    #[arg(long, env = "ORCH_WORKER_MAX_RETRIES", value_name = "RETRIES")]
    pub worker_max_retries: Option<String>,
    /// Milliseconds before the first retry; doubled for each, with jitter [default: 2000]
    #[arg(long, env = "ORCH_WORKER_BACKOFF_MS", value_name = "MS")]
    pub worker_backoff_ms: Option<String>,
    /// Milliseconds after which a task is taken from a worker that does not renew its lease [default: 30000]
    #[arg(long, env = "ORCH_WORKER_LEASE_MS", value_name = "MS")]
    pub worker_lease_ms: Option<String>,
    /// Milliseconds between two looks for cancelled tasks, while some run [default: 250]
    #[arg(long, env = "ORCH_WORKER_CANCEL_INTERVAL_MS", value_name = "MS")]
    pub worker_cancel_interval_ms: Option<String>,
    /// Tasks settled in one transaction, and claimed with them, at most [default: 256]
    #[arg(long, env = "ORCH_WORKER_BATCH", value_name = "TASKS")]
    pub worker_batch: Option<String>,
    /// Transactions that settle and claim at the same time [default: 1]
    #[arg(long, env = "ORCH_WORKER_SETTLE_IN_FLIGHT", value_name = "TRANSACTIONS")]
    pub worker_settle_in_flight: Option<String>,
    /// Bytes of context, as plans, files and diffs, that an agent is given beside its task [default: 131072]
    #[arg(long, env = "ORCH_WORKER_CONTEXT_BYTES", value_name = "BYTES")]
    pub worker_context_bytes: Option<String>,
    /// Milliseconds that one attempt may take [default: 1800000]
    #[arg(long, env = "ORCH_TASK_TIMEOUT_MS", value_name = "MS")]
    pub task_timeout_ms: Option<String>,
    /// Name under which changes are committed [default: orchestrator]
    #[arg(long, env = "ORCH_GIT_AUTHOR_NAME", value_name = "NAME")]
    pub git_author_name: Option<String>,
    /// Mail address under which changes are committed.
    #[arg(
        long,
        env = "ORCH_GIT_AUTHOR_EMAIL",
        value_name = "ADDRESS",
        help = "Mail address under which changes are committed [default: orchestrator@localhost]"
    )]
    pub git_author_email: Option<String>,
}

/// The settings as the worker uses them, all valid.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerConfig {
    /// False does nothing until the end.
    pub enabled: bool,
    /// Attempts at once.
    pub concurrency: usize,
    /// Never empty.
    pub roles: Vec<Role>,
    pub poll_interval: Duration,
    pub retry: RetryPolicy,
    pub lease: Duration,
    pub cancel_interval: Duration,
    /// Tasks in one transaction, at most.
    pub batch: usize,
    /// Transactions that settle and claim at once.
    pub settle_in_flight: usize,
    /// What an agent is given beside its task, at most.
    pub context_bytes: usize,
    /// The longest attempt.
    pub task_timeout: Duration,
    /// From being told to stop to the end; what runs by then is handed back. The setting is [`web::ServeArgs`]'.
    pub grace: Duration,
    pub author: AuthorName,
    pub announcer: AnnouncerArgs,
}

/// Who commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorName {
    pub name: String,
    pub email: String,
}

/// The longest time that a setting may say: a day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

impl Default for WorkerConfig {
    /// The documented defaults, without a look at the environment.
    fn default() -> Self {
        WorkerArgs::default().parse().expect("what is not set is not wrong")
    }
}

impl WorkerArgs {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// Every wrong one, what it holds and what it may hold.
    pub fn parse(self) -> Result<WorkerConfig, SettingErrors> {
        let mut reader = Reader::new();
        let roles = reader
            .list("ORCH_WORKER_ROLES", self.worker_roles, roles_allowed(), |it| it.parse().ok());
        let retries = reader.number("ORCH_WORKER_MAX_RETRIES", self.worker_max_retries, 0..=100);
        let mut ms = |name, raw, range, default| {
            Duration::from_millis(reader.number(name, raw, range).unwrap_or(default))
        };
        let backoff = ms("ORCH_WORKER_BACKOFF_MS", self.worker_backoff_ms, 0..=3_600_000, 2_000);
        let config = WorkerConfig {
            poll_interval: ms(
                "ORCH_WORKER_POLL_INTERVAL_MS",
                self.worker_poll_interval_ms,
                10..=3_600_000,
                500,
            ),
            lease: ms("ORCH_WORKER_LEASE_MS", self.worker_lease_ms, 500..=3_600_000, 30_000),
            cancel_interval: ms(
                "ORCH_WORKER_CANCEL_INTERVAL_MS",
                self.worker_cancel_interval_ms,
                10..=60_000,
                250,
            ),
            task_timeout: ms(
                "ORCH_TASK_TIMEOUT_MS",
                self.task_timeout_ms,
                1..=7 * DAY_MS,
                1_800_000,
            ),
            grace: web::ServeArgs::default().grace(),
            enabled: reader.flag("ORCH_WORKER_ENABLED", self.worker_enabled, true),
            concurrency: reader
                .number("ORCH_WORKER_CONCURRENCY", self.worker_concurrency, 1..=20_000)
                .unwrap_or(64),
            roles: roles.map_or_else(|| Role::ALL.to_vec(), distinct),
            retry: RetryPolicy::new(retries.unwrap_or(3), backoff),
            batch: reader.number("ORCH_WORKER_BATCH", self.worker_batch, 1..=1_000).unwrap_or(256),
            settle_in_flight: reader
                .number("ORCH_WORKER_SETTLE_IN_FLIGHT", self.worker_settle_in_flight, 1..=64)
                .unwrap_or(1),
            context_bytes: reader
                .number("ORCH_WORKER_CONTEXT_BYTES", self.worker_context_bytes, 1_024..=16_777_216)
                .unwrap_or(131_072),
            author: AuthorName {
                name: text(
                    &mut reader,
                    "ORCH_GIT_AUTHOR_NAME",
                    self.git_author_name,
                    "orchestrator",
                ),
                email: text(
                    &mut reader,
                    "ORCH_GIT_AUTHOR_EMAIL",
                    self.git_author_email,
                    "orchestrator@localhost",
                ),
            },
            announcer: AnnouncerArgs::default(),
        };
        reader.end().map(|()| config)
    }
}

fn text(reader: &mut Reader, name: &'static str, raw: Option<String>, default: &str) -> String {
    let plain = |it: &str| {
        !it.chars().any(|it| it.is_control() || "<>".contains(it)) && it.chars().count() <= 200
    };
    let allowed = "at most 200 characters on one line, without < and >";
    let read = reader.read(name, raw, allowed, |it| plain(it).then(|| it.to_owned()));
    read.unwrap_or_else(|| default.to_owned())
}

fn roles_allowed() -> String {
    let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
    format!("some of {}, with commas", names.join(", "))
}

/// Each role once, in the order in which it was given; all if none was.
fn distinct(given: Vec<Role>) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for role in given {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    if roles.is_empty() { Role::ALL.to_vec() } else { roles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let expected = WorkerConfig {
            enabled: true,
            concurrency: 64,
            roles: vec![
                Role::Architect,
                Role::Implementer,
                Role::Reviewer,
                Role::Tester,
                Role::Maintainer,
            ],
            poll_interval: Duration::from_millis(500),
            retry: RetryPolicy::new(3, Duration::from_millis(2_000)),
            lease: Duration::from_secs(30),
            cancel_interval: Duration::from_millis(250),
            batch: 256,
            settle_in_flight: 1,
            context_bytes: 131_072,
            task_timeout: Duration::from_secs(1_800),
            grace: Duration::from_secs(25),
            author: AuthorName {
                name: "orchestrator".to_owned(),
                email: "orchestrator@localhost".to_owned(),
            },
            announcer: AnnouncerArgs::default(),
        };
        assert_eq!(WorkerConfig::default(), expected);
    }

    #[test]
    fn roles_are_a_list_and_blank_ones_are_all() {
        let roles = |given: &str| {
            let args = WorkerArgs { worker_roles: Some(given.to_owned()), ..WorkerArgs::default() };
            args.parse().map(|config| config.roles)
        };
        assert_eq!(roles("tester, reviewer,tester"), Ok(vec![Role::Tester, Role::Reviewer]));
        assert_eq!(roles(" "), Ok(Role::ALL.to_vec()));
        assert_eq!(roles(","), Ok(Role::ALL.to_vec()));
        assert!(roles("cook").is_err());
    }

    #[test]
    fn every_wrong_setting_is_named_in_one_message() {
        let wrong = |value: &str| Some(value.to_owned());
        let args = WorkerArgs {
            worker_enabled: wrong("perhaps"),
            worker_concurrency: wrong("0"),
            worker_roles: wrong("architect,cook"),
            worker_poll_interval_ms: wrong("1"),
            worker_max_retries: wrong("-1"),
            worker_backoff_ms: wrong("soon"),
            worker_lease_ms: wrong("1"),
            worker_cancel_interval_ms: wrong("0"),
            worker_batch: wrong("1001"),
            worker_settle_in_flight: wrong("0"),
            worker_context_bytes: wrong("1"),
            task_timeout_ms: wrong("0"),
            git_author_name: wrong("<me>"),
            git_author_email: wrong("a\nb"),
        };
        let errors = args.parse().unwrap_err();
        let names: Vec<_> = errors.0.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), 14, "{errors}");
        assert!(
            errors.to_string().contains(
                "ORCH_WORKER_ROLES is \"architect,cook\": use some of architect, implementer, reviewer, tester, \
                 maintainer, with commas"
            ),
            "{errors}"
        );
    }
}
