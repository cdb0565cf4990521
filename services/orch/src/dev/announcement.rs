//! What the start says.

use api_gateway::settings::Auth;
use queue::QueueKind;
use secrecy::ExposeSecret;
use serde::Serialize;
use store::{DatabaseArgs, StoreKind};
use url::Url;

use super::{agents::Agents, args::DevSettings};
use crate::view::{fields, plain};

/// Where a command looks for the API if it is not told.
const USUAL_URL: &str = "http://127.0.0.1:8080";

/// What runs, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    pub url: String,
    pub docs_url: String,
    pub webhook_url: String,
    /// Whether webhooks are taken, for which a secret must be set.
    pub webhooks: bool,
    /// The store's file, or where its database is.
    pub store: String,
    pub queue: String,
    /// `local` or `stub`.
    pub executor: String,
    /// What runs agents, in words.
    pub agents: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Whether requests need an API key.
    pub key_needed: bool,
    pub worker: bool,
    pub scheduler: bool,
}

impl Announcement {
    pub(super) fn of(
        settings: &DevSettings,
        port: u16,
        agents: Option<&Agents>,
        webhooks: bool,
    ) -> Self {
        let url = base_url(&settings.host, port);
        Self {
            docs_url: format!("{url}/docs"),
            webhook_url: format!("{url}/webhooks/github"),
            webhooks,
            store: place(&settings.database),
            queue: match settings.queue.task_queue {
                QueueKind::InProcess => "in this process".to_owned(),
                QueueKind::RabbitMq => "RabbitMQ".to_owned(),
            },
            executor: agents.map_or("none", |it| it.name).to_owned(),
            agents: agents.map_or_else(
                || "none: the worker is off (ORCH_WORKER_ENABLED)".to_owned(),
                |it| it.words.clone(),
            ),
            advice: agents.and_then(|it| it.advice.clone()),
            key_needed: settings.gateway.auth == Auth::Required,
            worker: settings.worker.enabled,
            scheduler: settings.scheduler.enabled,
            url,
        }
    }

    /// For a person who sits at a terminal; `program` is what they call this program.
    pub(super) fn in_words(&self, program: &str) -> String {
        let off = |on: bool, text: String, why: &str| {
            if on { text } else { format!("{text} (off: {why})") }
        };
        let mut agents = self.agents.clone();
        if let Some(advice) = &self.advice {
            agents.push('\n');
            agents.push_str(&plain(advice));
        }
        let facts = fields(&[
            ("API", self.url.clone()),
            ("API docs", self.docs_url.clone()),
            (
                "webhooks",
                off(self.webhooks, self.webhook_url.clone(), "GITHUB_WEBHOOK_SECRET is not set"),
            ),
            ("store", self.store.clone()),
            ("queue", self.queue.clone()),
            ("agents", agents),
            (
                "scheduler",
                off(self.scheduler, "in this process".to_owned(), "ORCH_SCHEDULER_ENABLED"),
            ),
            ("access", self.access(program)),
        ]);
        let server =
            if self.url == USUAL_URL { String::new() } else { format!(" --server {}", self.url) };
        format!(
            "The orchestrator is running; Ctrl-C stops it.\n\n{facts}\n\n\
             Type this in another terminal to run a task to its end:\n\n  \
             {program} run{server} \"Write a haiku about queues\" --role architect\n\n\
             and this to have the whole team work on the git repository that you are in:\n\n  \
             {program} run{server} \"Add a short section on testing to the README\" --repo .\n"
        )
    }

    fn access(&self, program: &str) -> String {
        if !self.key_needed {
            return "from this machine only, without a key".to_owned();
        }
        format!(
            "with an API key in ORCH_API_KEY; `{program} keys create --name me --scope admin` makes one\n\
             (stop this first where the store is a file: it is one process's at a time)"
        )
    }
}

fn base_url(host: &str, port: u16) -> String {
    // What listens on every address is reached on the local one.
    let host = match host {
        "0.0.0.0" | "::" => "127.0.0.1",
        host => host,
    };
    if host.contains(':') {
        format!("http://[{host}]:{port}")
    } else {
        format!("http://{host}:{port}")
    }
}

/// Where the store is, without what must not be shown.
pub(crate) fn place(database: &DatabaseArgs) -> String {
    match database.kind() {
        Ok(StoreKind::Postgres) => {
            let url =
                database.database_url.as_ref().and_then(|it| Url::parse(it.expose_secret()).ok());
            let shown =
                url.as_ref().and_then(|url| Some(format!("{}{}", url.host_str()?, url.path())));
            format!("Postgres at {}", shown.unwrap_or_else(|| "DATABASE_URL".to_owned()))
        }
        Ok(StoreKind::Sqlite) => match database.data_dir() {
            Ok(dir) => dir.join("orchestrator.sqlite3").display().to_string(),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_thing_to_type_reaches_this_very_server() {
        let check = |url: &str, expected: &str| {
            let announcement = Announcement {
                url: url.to_owned(),
                docs_url: String::new(),
                webhook_url: "w".to_owned(),
                webhooks: false,
                store: "s".to_owned(),
                queue: "q".to_owned(),
                executor: "stub".to_owned(),
                agents: "a".to_owned(),
                advice: Some("b".to_owned()),
                key_needed: false,
                worker: true,
                scheduler: true,
            };
            let words = announcement.in_words("target/debug/orch");
            assert!(words.contains(&format!("\n  {expected}\n")), "{words}");
            assert!(words.contains("w (off: GITHUB_WEBHOOK_SECRET is not set)"), "{words}");
        };
        let haiku = "\"Write a haiku about queues\" --role architect";
        check(USUAL_URL, &format!("target/debug/orch run {haiku}"));
        check(
            "http://127.0.0.1:9",
            &format!("target/debug/orch run --server http://127.0.0.1:9 {haiku}"),
        );
    }

    #[test]
    fn an_address_becomes_a_url_that_can_be_opened() {
        assert_eq!(base_url("127.0.0.1", 1), "http://127.0.0.1:1");
        assert_eq!(base_url("0.0.0.0", 1), "http://127.0.0.1:1");
        assert_eq!(base_url("::1", 1), "http://[::1]:1");
    }
}
