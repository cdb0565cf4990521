//! Settings of webhook-ingest.

use std::{str::FromStr, time::Duration};

use clap::{Args, Parser, value_parser};
use github::{SecretsError, WebhookSecrets};
use queue::QueueKind;
use secrecy::{ExposeSecret, SecretString};
use store::{StoreKind, batch::BatchBounds};
use web::BodyDeadlines;

use crate::triggers::Rules;

/// Receives GitHub's webhook deliveries: verifies them, stores each once with the work that it starts, and answers in
/// milliseconds.
#[derive(Clone, Debug, Parser)]
#[command(name = "webhook-ingest", version)]
pub struct Config {
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub serve: web::ServeArgs,
    #[command(flatten)]
    pub database: store::DatabaseArgs,
    #[command(flatten)]
    pub queue: queue::QueueArgs,
    #[command(flatten)]
    pub announcer: queue::announcer::AnnouncerArgs,
    #[command(flatten)]
    pub telemetry: telemetry::TelemetryArgs,
}

impl Config {
    /// What is wrong beyond single values, one sentence each.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        match self.database.kind() {
            Ok(StoreKind::Postgres) => {}
            Ok(StoreKind::Sqlite) => wrong.push(
                "ORCH_TASK_STORE is `sqlite`: webhook-ingest beside other services needs `postgres`; `orch dev` takes \
                 webhooks for the embedded store"
                    .to_owned(),
            ),
            Err(error) => wrong.push(error.to_string()),
        }
        if self.queue.task_queue == QueueKind::InProcess {
            wrong.push(
                "TASK_QUEUE is `in-process`: webhook-ingest beside other services reaches no worker with it; use `rabbitmq`"
                    .to_owned(),
            );
        }
        match self.webhook.secrets() {
            Ok(Some(_)) => {}
            Ok(None) => wrong.push(SecretsError::None.to_string()),
            Err(error) => wrong.push(error.to_string()),
        }
        wrong
    }
}

/// Where webhooks are taken.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct ListenArgs {
    /// Address on which webhooks, health, readiness and metrics are served.
    #[arg(long, env = "ORCH_HOST", default_value = "0.0.0.0")]
    pub host: String,
    /// Port of the same; 0 takes a free one.
    #[arg(long, env = "ORCH_PORT", default_value_t = 8081)]
    pub port: u16,
}

/// How deliveries are taken, and what they start.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookArgs {
    /// Secret of the GitHub webhook or App; several, comma separated, while one replaces another. Set it by environment:
    /// arguments can be read by everybody on the machine.
    #[arg(long, env = "GITHUB_WEBHOOK_SECRET", hide_env_values = true)]
    pub github_webhook_secret: Option<SecretString>,
    /// Id of our GitHub App; what it does itself, and what is sent to another App, starts no work.
    #[arg(long, env = "GITHUB_APP_ID")]
    pub github_app_id: Option<i64>,
    /// Labels that have the whole team work on an issue, comma separated, in any case.
    #[arg(long, env = "ORCH_TASK_LABELS", default_value = "ai-task,auto-task")]
    pub task_labels: List,
    /// Hosts (`host` or `host:port`), comma separated, whose repositories are fetched from the clone URL of the delivery;
    /// those of others are known as `owner/name`, which workers look for at `ORCH_GIT_BASE_URL`.
    #[arg(long, env = "ORCH_GITHUB_CLONE_HOSTS", default_value = "")]
    pub github_clone_hosts: List,

    /// Bytes that one delivery may have. GitHub sends none above 25 MB.
    #[arg(long, env = "ORCH_WEBHOOK_BODY_LIMIT_BYTES", default_value_t = 26_214_400, value_parser = value_parser!(u32).range(1_024..=104_857_600))]
    pub webhook_body_limit_bytes: u32,
    /// Bytes that all deliveries together may take while they are received and stored; beyond, senders are told to wait.
    #[arg(long, env = "ORCH_WEBHOOK_ROOM_BYTES", default_value_t = 268_435_456, value_parser = value_parser!(u32).range(1_048_576..))]
    pub webhook_room_bytes: u32,
    /// Milliseconds between two pieces of a delivery.
    #[arg(long, env = "ORCH_WEBHOOK_BODY_IDLE_MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..))]
    pub webhook_body_idle_ms: u64,
    /// Milliseconds for a whole delivery, beside one second more for each 64 KiB received. GitHub waits for 10 s.
    #[arg(long, env = "ORCH_WEBHOOK_BODY_TOTAL_MS", default_value_t = 8_000, value_parser = value_parser!(u64).range(1..))]
    pub webhook_body_total_ms: u64,
    /// Milliseconds that storing a delivery may take before its sender is told to try again.
    #[arg(long, env = "ORCH_WEBHOOK_ANSWER_MS", default_value_t = 1_200, value_parser = value_parser!(u64).range(1..))]
    pub webhook_answer_ms: u64,

    /// Deliveries stored in one transaction, at most.
    #[arg(long, env = "ORCH_WEBHOOK_BATCH", default_value_t = 64, value_parser = value_parser!(u16).range(1..=1_000))]
    pub webhook_batch: u16,
    /// Such transactions under way at once.
    #[arg(long, env = "ORCH_WEBHOOK_BATCHES_IN_FLIGHT", default_value_t = 2, value_parser = value_parser!(u16).range(1..=64))]
    pub webhook_batches_in_flight: u16,
    /// Deliveries that may wait for one; more senders are told to wait.
    #[arg(long, env = "ORCH_WEBHOOK_WAITING", default_value_t = 4_096, value_parser = value_parser!(u16).range(1..))]
    pub webhook_waiting: u16,
    /// Milliseconds between two looks for deliveries that shall be taken again.
    #[arg(long, env = "ORCH_WEBHOOK_REDELIVERY_MS", default_value_t = 1_000, value_parser = value_parser!(u64).range(10..=3_600_000))]
    pub webhook_redelivery_ms: u64,
}

/// Slowest rate of a body; each so many bytes earn it a second.
const MIN_BYTES_PER_SECOND: u64 = 65_536;

impl WebhookArgs {
    /// The secrets; none where no variable is set, or it is empty.
    ///
    /// # Errors
    /// [`SecretsError`] where one of several is empty.
    pub fn secrets(&self) -> Result<Option<WebhookSecrets>, SecretsError> {
        match self.github_webhook_secret.as_ref().filter(|it| !it.expose_secret().trim().is_empty())
        {
            Some(list) => WebhookSecrets::parse(list).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            task_labels: self.task_labels.0.clone(),
            clone_hosts: self.github_clone_hosts.0.clone(),
            app_id: self.github_app_id,
        }
    }

    pub(crate) fn batches(&self) -> BatchBounds {
        BatchBounds {
            items: self.webhook_batch.into(),
            in_flight: self.webhook_batches_in_flight.into(),
            waiting: self.webhook_waiting.into(),
        }
    }

    pub(crate) fn body_deadlines(&self) -> BodyDeadlines {
        BodyDeadlines {
            idle_ms: self.webhook_body_idle_ms,
            total_ms: self.webhook_body_total_ms,
            min_bytes_per_second: MIN_BYTES_PER_SECOND,
        }
    }

    pub(crate) fn answer_within(&self) -> Duration {
        Duration::from_millis(self.webhook_answer_ms)
    }

    pub(crate) fn redelivery_period(&self) -> Duration {
        Duration::from_millis(self.webhook_redelivery_ms)
    }
}

/// A comma-separated list, in lower case and without empty members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(Vec<String>);

impl FromStr for List {
    type Err = std::convert::Infallible;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let members = list.split(',').map(|member| member.trim().to_lowercase());
        Ok(Self(members.filter(|member| !member.is_empty()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Config {
        Config::try_parse_from([&["webhook-ingest"], arguments].concat()).unwrap()
    }

    #[test]
    fn a_service_without_a_secret_does_not_start() {
        let check = |arguments: &[&str], expected: &[&str]| {
            let beside = ["--task-store", "postgres", "--task-queue", "rabbitmq"];
            assert_eq!(config(&[&beside, arguments].concat()).check(), expected, "{arguments:?}");
        };
        check(&["--github-webhook-secret", "a,b"], &[]);
        let none = "GITHUB_WEBHOOK_SECRET is empty: set the secret that the webhook was made with";
        check(&[], &[none]);
        check(&["--github-webhook-secret", " "], &[none]);
        check(
            &["--github-webhook-secret", "a,"],
            &[
                "secret number 2 of GITHUB_WEBHOOK_SECRET is empty: write them with one comma between two",
            ],
        );
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let wrong = config(&["--task-store", "redis", "--task-queue", "in-process"]).check();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }

    #[test]
    fn labels_and_hosts_are_lists_in_lower_case() {
        let args = config(&[
            "--task-labels",
            "AI-Task, grow,,",
            "--github-clone-hosts",
            "Git.Example:8443",
        ])
        .webhook;
        let rules = Rules {
            task_labels: vec!["ai-task".to_owned(), "grow".to_owned()],
            clone_hosts: vec!["git.example:8443".to_owned()],
            app_id: None,
        };
        assert_eq!(args.rules(), rules);
    }

    #[test]
    fn the_secret_shows_nowhere() {
        let config = config(&["--github-webhook-secret", "hunter2"]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
