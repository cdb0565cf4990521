//! The environment of each program.

use std::path::{Path, PathBuf};

use crate::{
    git_http::GitServer,
    model_server::{ModelServer, Wire},
};

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    ApiGateway,
    WebhookIngest,
    Worker,
    Scheduler,
}

impl Program {
    pub const ALL: [Self; 4] =
        [Self::ApiGateway, Self::WebhookIngest, Self::Worker, Self::Scheduler];

    /// The name of its binary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "api-gateway",
            Self::WebhookIngest => "webhook-ingest",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }
}

/// Variables by program. A later value of a variable counts; nothing is inherited from the test's own environment.
#[derive(Clone, Debug)]
pub struct Settings {
    variables: Vec<(Option<Program>, String, String)>,
    /// A folder of programs that were built otherwise.
    binaries: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let empty = Self { variables: Vec::new(), binaries: None };
        empty
            .all("ORCH_TASK_STORE", "postgres")
            .all("TASK_QUEUE", "rabbitmq")
            .all("ORCH_HOST", "127.0.0.1")
            .all("ORCH_PORT", "0")
            .all("ORCH_LOG", "debug")
            // Short waits, and a bound on the end of a test.
            .all("ORCH_WORKER_BACKOFF_MS", "100")
            .all("ORCH_SHUTDOWN_GRACE_MS", "10000")
            // Queues come and go here: the way of dead letters that stands it.
            .all("ORCH_QUEUE_DEAD_LETTERING", "at-most-once")
            .own(Program::WebhookIngest, "GITHUB_WEBHOOK_SECRET", "nobody knows it")
    }
}

impl Settings {
    /// Sets a variable for every program.
    #[must_use]
    pub fn all(mut self, name: &str, value: &str) -> Self {
        self.variables.push((None, name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable for one program.
    #[must_use]
    pub fn own(mut self, program: Program, name: &str, value: &str) -> Self {
        self.variables.push((Some(program), name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the programs of this folder, as they are.
    #[must_use]
    pub fn programs_in(mut self, folder: &Path) -> Self {
        self.binaries = Some(folder.to_owned());
        self
    }

    pub(super) fn binaries(&self) -> Option<&Path> {
        self.binaries.as_deref()
    }

    /// Has the workers ask this model server, in this format, and try again what failed.
    #[must_use]
    pub fn model(self, server: &ModelServer, wire: Wire, name: &str) -> Self {
        let api = match wire {
            Wire::OpenAi => "openai",
            Wire::Ollama => "ollama",
        };
        self.own(Program::Worker, "LOCAL_LLM_API", api)
            .own(Program::Worker, "LOCAL_LLM_URL", &server.url())
            .own(Program::Worker, "LOCAL_LLM_MODEL", name)
            .own(Program::Worker, "LOCAL_LLM_ERROR_MODE", "throw")
    }

    /// Has the workers use this git server with a token, and webhook-ingest take its clone URLs as they are.
    #[must_use]
    pub fn git(self, server: &GitServer, token: &str) -> Self {
        self.own(Program::Worker, "ORCH_GIT_TOKEN", token)
            .own(Program::Worker, "ORCH_GIT_TOKEN_HOSTS", &server.authority())
            .own(Program::WebhookIngest, "ORCH_GITHUB_CLONE_HOSTS", &server.authority())
    }

    /// The same on a database and queues.
    pub(super) fn on(self, database_url: &str, amqp_url: &str, prefix: &str) -> Self {
        self.all("DATABASE_URL", database_url)
            .all("AMQP_URL", amqp_url)
            .all("ORCH_QUEUE_PREFIX", prefix)
    }

    /// The variables of a program; of no service in particular, for none.
    pub(super) fn of(&self, program: Option<Program>) -> impl Iterator<Item = (&str, &str)> {
        let meant = move |it: &Option<Program>| it.is_none() || *it == program;
        let all = self.variables.iter().filter(move |(whose, ..)| meant(whose));
        all.map(|(_, name, value)| (name.as_str(), value.as_str()))
    }
}
