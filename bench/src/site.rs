//! One installation on this machine: the servers, the services, and a look into the database.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value;
use testbed::{Postgres, RabbitMq, Service};
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

use crate::processes::Roots;

/// The services, in the order in which they start.
pub(crate) const SERVICES: [&str; 4] = ["api-gateway", "webhook-ingest", "worker", "scheduler"];
/// The secret with which deliveries are signed.
pub(crate) const WEBHOOK_SECRET: &str = "It's a Secret to Everybody";

/// What an operator of a machine of its own with 24 GiB and two cores would set; everything else is as PostgreSQL has it, above
/// all `fsync` and `synchronous_commit`, which are on. The last two are for measuring.
const POSTGRES: &[(&str, &str)] = &[
    ("max_connections", "200"),
    ("shared_buffers", "2GB"),
    ("effective_cache_size", "12GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("random_page_cost", "1.1"),
    ("track_commit_timestamp", "on"),
    ("track_wal_io_timing", "on"),
];

/// More tasks at once than by default: those of the stub end at once, so that slots are what they wait for.
const WORKER: [(&str, &str); 1] = [("ORCH_WORKER_CONCURRENCY", "256")];

/// What the tool was told beside its defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    pub(crate) binaries: PathBuf,
    /// Settings of PostgreSQL; later ones count.
    pub(crate) postgres: Vec<(String, String)>,
    /// Variables of services; of all of them, where no service is named.
    pub(crate) variables: Vec<(Option<String>, String, String)>,
    /// Whether statements are counted.
    pub(crate) statements: bool,
}

/// A running installation. Everything ends when it is dropped.
pub(crate) struct Site {
    choices: Choices,
    services: BTreeMap<&'static str, Service>,
    /// From just before the process was made until it said that it is ready.
    pub(crate) starts: BTreeMap<&'static str, Duration>,
    /// What every service is given.
    variables: Vec<(String, String)>,
    /// Of an API key that may do everything.
    pub(crate) key: String,
    pub(crate) database: Client,
    pub(crate) postgres: Postgres,
    rabbitmq: RabbitMq,
    /// Where the services work and log.
    dir: PathBuf,
}

impl Site {
    /// Starts the servers, migrates, makes an API key and starts one process of each service.
    ///
    /// # Errors
    /// If anything of that fails.
    pub(crate) async fn start(choices: Choices) -> anyhow::Result<Self> {
        let settings = postgres_settings(&choices);
        let settings: Vec<_> =
            settings.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
        let postgres = Postgres::start(&settings).await?;
        let rabbitmq = RabbitMq::start().await?;
        // Below the folder of a server, so that what a killed run leaves behind is ended and removed by the next one.
        let dir = postgres.data_dir().with_file_name("services");
        std::fs::create_dir_all(&dir)?;
        let variables = variables(&postgres.url(), &rabbitmq.url());
        orch(&choices, &variables, &dir, &["migrate"]).await?;
        let arguments = ["keys", "create", "--name", "bench", "--scope", "admin", "--json"];
        let printed = orch(&choices, &variables, &dir, &arguments).await?;
        let printed: Value = serde_json::from_str(&printed).context("orch prints JSON")?;
        let key = printed["secret"].as_str().context("a new key has a secret")?.to_owned();
        let (database, connection) = tokio_postgres::connect(&postgres.url(), NoTls).await?;
        tokio::spawn(connection);
        if choices.statements {
            database.batch_execute("CREATE EXTENSION pg_stat_statements").await?;
        }
        let (services, starts) = (BTreeMap::new(), BTreeMap::new());
        let mut site =
            Self { choices, services, starts, variables, key, database, postgres, rabbitmq, dir };
        for name in SERVICES {
            site.start_service(name, &[]).await?;
        }
        Ok(site)
    }

    /// Starts a service again, with variables beside those that all have.
    ///
    /// # Errors
    /// If it does not end, or not start.
    pub(crate) async fn start_service(
        &mut self,
        name: &'static str,
        own: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        self.stop_service(name).await?;
        let mut variables = self.variables.clone();
        if name == "worker" {
            variables.extend(WORKER.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        variables.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let chosen = self.choices.variables.iter();
        let chosen = chosen.filter(|(whose, ..)| whose.as_ref().is_none_or(|it| it == name));
        variables.extend(chosen.map(|(_, name, value)| (name.clone(), value.clone())));
        let binary = self.choices.binaries.join(name);
        let begun = Instant::now();
        let mut service = Service::start(&binary, name, variables, &self.dir)?;
        service.until_ready().await?;
        self.starts.insert(name, begun.elapsed());
        self.services.insert(name, service);
        Ok(())
    }

    /// Stops a service in order, if it runs.
    ///
    /// # Errors
    /// If it does not end, or not with 0.
    pub(crate) async fn stop_service(&mut self, name: &str) -> anyhow::Result<()> {
        if let Some(running) = self.services.remove(name) {
            let exit = running.terminate().await?;
            ensure!(exit.code == Some(0), "{name} ended with {:?}", exit.code);
        }
        Ok(())
    }

    /// A service that runs.
    ///
    /// # Errors
    /// If it does not.
    pub(crate) fn service(&self, name: &str) -> anyhow::Result<&Service> {
        self.services.get(name).with_context(|| format!("{name} does not run"))
    }

    /// Where a service listens.
    ///
    /// # Errors
    /// If it does not run.
    pub(crate) fn address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        let url = self.service(name)?.url();
        let address = url.trim_start_matches("http://");
        address.parse().with_context(|| format!("{name} listens at {address}"))
    }

    /// Every program that takes part.
    pub(crate) fn roots(&self) -> Roots {
        let mut roots: Roots =
            self.services.iter().map(|(name, it)| ((*name).to_owned(), vec![it.pid()])).collect();
        roots.insert("postgres".to_owned(), self.postgres.pids());
        roots.insert("rabbitmq".to_owned(), self.rabbitmq.pids());
        roots
    }

    /// The settings of PostgreSQL.
    pub(crate) fn postgres_settings(&self) -> Vec<(String, String)> {
        postgres_settings(&self.choices)
    }

    pub(crate) fn choices(&self) -> &Choices {
        &self.choices
    }
}

fn postgres_settings(choices: &Choices) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut settings: BTreeMap<String, String> = POSTGRES.iter().map(owned).collect();
    if choices.statements {
        settings.extend([
            ("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned()),
            ("pg_stat_statements.track_planning".to_owned(), "on".to_owned()),
        ]);
    }
    settings.extend(choices.postgres.iter().cloned());
    settings.into_iter().collect()
}

fn variables(database_url: &str, amqp_url: &str) -> Vec<(String, String)> {
    let all = [
        ("ORCH_TASK_STORE", "postgres"),
        ("TASK_QUEUE", "rabbitmq"),
        ("ORCH_HOST", "127.0.0.1"),
        ("ORCH_PORT", "0"),
        ("ORCH_AGENT_EXECUTOR", "stub"),
        ("GITHUB_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("DATABASE_URL", database_url),
        ("AMQP_URL", amqp_url),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Runs the command line, and gives what it printed.
async fn orch(
    choices: &Choices,
    variables: &[(String, String)],
    dir: &Path,
    arguments: &[&str],
) -> anyhow::Result<String> {
    let mut command = Command::new(choices.binaries.join("orch"));
    command.env_clear().env("HOME", dir).envs(variables.iter().cloned()).current_dir(dir);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().await.context("start orch")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "orch {}: {}\n{said}", arguments.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?)
}
