//! One installation: the services as processes of their own, on a database and queues that nobody else uses.
//!
//! A test ends with [`Stack::stop`], which sends SIGTERM to all and wants each to exit with 0. What a failed test leaves
//! behind is removed too, and the ends of its logs are shown.

mod binaries;
mod broker;
mod database;
mod keeping;
mod logs;
mod orch;
mod service;
mod settings;

use std::{collections::BTreeMap, path::PathBuf};

use tempfile::TempDir;

pub use binaries::faulty_programs;
pub use logs::Logs;
pub use service::{Exit, Service};
pub use settings::{Program, Settings};

use crate::api::Api;
use broker::Broker;
use database::Database;

/// A running installation.
pub struct Stack {
    /// Speaks with an API key that may do everything.
    pub api: Api,
    services: BTreeMap<String, Service>,
    settings: Settings,
    key: String,
    // Removed in this order, when the services are gone.
    _broker: Broker,
    database: Database,
    dir: TempDir,
}

impl Stack {
    /// Builds what is not built, migrates a new database, makes an API key and starts every service, one of each; the worker
    /// is called `worker`. All of them are ready when this returns.
    ///
    /// # Panics
    /// If any of that fails, with what the programs said.
    pub async fn start(settings: Settings) -> Self {
        // Several clients of ours use TLS libraries; a second call changes nothing.
        drop(rustls::crypto::ring::default_provider().install_default());
        if settings.binaries().is_none() {
            binaries::build();
        }
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let database = Database::create().await;
        let broker = Broker::new();
        let settings = settings.on(database.url(), broker.url(), broker.prefix());
        orch::migrate(&settings, dir.path()).await;
        let key = orch::create_key(&settings, dir.path()).await;

        let started =
            Program::ALL.map(|it| (it, Service::start(it.name(), it, &settings, &[], dir.path())));
        let mut services = BTreeMap::new();
        for (program, mut service) in started {
            service.until_ready().await;
            services.insert(program.name().to_owned(), service);
        }
        let api = Api::connect(services[Program::ApiGateway.name()].url(), Some(&key)).await;
        Self { api, services, settings, key, _broker: broker, database, dir }
    }

    /// A service by its name.
    #[track_caller]
    pub fn service(&self, name: &str) -> &Service {
        self.services.get(name).unwrap_or_else(|| panic!("there is no service {name}"))
    }

    /// Where webhooks are sent to.
    pub fn webhook_url(&self) -> String {
        format!("{}/webhooks/github", self.service(Program::WebhookIngest.name()).url())
    }

    /// The API key that `orch` made.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Starts another service of a kind, under a name of its own and with settings beside those of the stack.
    pub async fn add(&mut self, name: &str, program: Program, own: &[(&str, &str)]) {
        assert!(!self.services.contains_key(name), "{name} runs already");
        let mut service = Service::start(name, program, &self.settings, own, self.dir.path());
        service.until_ready().await;
        self.services.insert(name.to_owned(), service);
    }

    /// Sends SIGTERM to a service and waits for its end.
    pub async fn terminate(&mut self, name: &str) -> Exit {
        self.take(name).terminate().await
    }

    /// Ends a service with SIGKILL, as a crash does.
    pub async fn kill(&mut self, name: &str) {
        self.take(name).kill().await;
    }

    /// Stops every service by SIGTERM. Each must exit with 0. Gives back what all of them have logged.
    pub async fn stop(mut self) -> Logs {
        let services = std::mem::take(&mut self.services);
        let ends = services.into_values().map(Service::terminate);
        let exits = futures_util::future::join_all(ends).await;
        let bad: Vec<_> = exits.iter().filter(|it| it.code != Some(0)).collect();
        assert!(bad.is_empty(), "told to stop, these did not exit with 0: {bad:?}");
        Logs::read(&self.log_dir())
    }

    fn take(&mut self, name: &str) -> Service {
        self.services.remove(name).unwrap_or_else(|| panic!("there is no service {name}"))
    }

    fn log_dir(&self) -> PathBuf {
        service::log_dir(self.dir.path())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            Logs::read(&self.log_dir()).show();
        }
        // The processes first: they use what is removed next.
        self.services.clear();
    }
}
