//! The services of one scenario, by name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use testbed::{Binaries, Exit, Service};
use tokio::{process::Command, sync::watch};

use crate::{
    programs::{self, Program},
    wires::{Server, Wires},
};

/// Variables with their values.
type Variables = Vec<(String, String)>;

pub(crate) struct Services {
    binaries: Arc<Binaries>,
    dir: PathBuf,
    /// What this scenario tells every program beside its settings.
    beside: Variables,
    database: String,
    prefix: String,
    pub(crate) wires: Wires,
    running: BTreeMap<String, Service>,
    /// What each is, and what only it is told; kept while it is down.
    known: BTreeMap<String, (Program, Variables)>,
    /// Where the gateway and the receiver of webhooks answer now.
    pub(crate) gateway: watch::Sender<String>,
    pub(crate) webhooks: watch::Sender<String>,
}

impl Services {
    pub(crate) fn new(
        binaries: Arc<Binaries>,
        dir: &Path,
        wires: Wires,
        database: &str,
        beside: Variables,
    ) -> Self {
        Self {
            binaries,
            dir: dir.to_owned(),
            beside,
            database: database.to_owned(),
            prefix: database.replace('_', "-"),
            wires,
            running: BTreeMap::new(),
            known: BTreeMap::new(),
            gateway: watch::Sender::default(),
            webhooks: watch::Sender::default(),
        }
    }

    /// Brings the database to its newest form.
    pub(crate) async fn migrate(&self) -> Result<()> {
        let mut command = Command::new(self.binaries.path("orch")?);
        command.env_clear().envs(self.environment(Program::Scheduler)).env("HOME", &self.dir);
        let output = command.arg("migrate").current_dir(&self.dir).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "orch migrate: {said}");
        Ok(())
    }

    /// Starts a program under a name of its own, and waits until it is ready.
    pub(crate) async fn start(
        &mut self,
        name: &str,
        program: Program,
        own: Variables,
    ) -> Result<()> {
        self.known.insert(name.to_owned(), (program, own));
        self.spawn(name)?;
        self.until_ready(name).await
    }

    /// Starts one that is known, and does not wait for it.
    pub(crate) fn spawn(&mut self, name: &str) -> Result<()> {
        let (program, own) = self.known.get(name).with_context(|| format!("who is {name}?"))?;
        let mut environment = self.environment(*program);
        environment.extend(own.iter().cloned());
        let binary = self.binaries.path(program.name())?;
        let service = Service::start(&binary, name, environment, &self.dir)?;
        self.running.insert(name.to_owned(), service);
        Ok(())
    }

    /// Waits until one that was spawned is ready.
    pub(crate) async fn until_ready(&mut self, name: &str) -> Result<()> {
        let program = self.known.get(name).with_context(|| format!("who is {name}?"))?.0;
        let service = self.running.get_mut(name).with_context(|| format!("{name} is down"))?;
        service.until_ready().await?;
        match program {
            Program::ApiGateway => drop(self.gateway.send_replace(service.url())),
            Program::WebhookIngest => drop(self.webhooks.send_replace(service.url())),
            Program::Worker | Program::Scheduler => {}
        }
        Ok(())
    }

    /// Starts one that is known, and waits until it is ready.
    pub(crate) async fn start_again(&mut self, name: &str) -> Result<()> {
        self.spawn(name)?;
        self.until_ready(name).await
    }

    /// Ends one at once (SIGKILL).
    pub(crate) async fn kill(&mut self, name: &str) -> Result<()> {
        match self.running.remove(name) {
            Some(service) => service.kill().await,
            None => Ok(()),
        }
    }

    /// Asks one to end (SIGTERM), and waits for that.
    pub(crate) async fn terminate(&mut self, name: &str) -> Result<Exit> {
        self.running.remove(name).with_context(|| format!("{name} is down"))?.terminate().await
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Service> {
        self.running.get(name)
    }

    /// The names of all that are known of a kind.
    pub(crate) fn names(&self, program: Program) -> Vec<String> {
        let all = self.known.iter().filter(|(_, (it, _))| *it == program);
        all.map(|(name, _)| name.clone()).collect()
    }

    /// Starts what is down, and waits until all are ready.
    pub(crate) async fn make_whole(&mut self) -> Result<()> {
        let names: Vec<_> = self.known.keys().cloned().collect();
        for name in &names {
            let gone = self.running.get_mut(name).is_none_or(Service::has_ended);
            if gone {
                self.spawn(name)?;
            }
        }
        for name in &names {
            self.until_ready(name).await?;
        }
        Ok(())
    }

    /// Ends all by SIGTERM, and says of each how.
    pub(crate) async fn stop(&mut self) -> Result<Vec<(String, Exit)>> {
        let running = std::mem::take(&mut self.running);
        let ends = running.into_iter().map(|(name, service)| async move {
            Ok::<_, anyhow::Error>((name, service.terminate().await?))
        });
        futures_util::future::try_join_all(ends).await
    }

    fn environment(&self, program: Program) -> Variables {
        let postgres = self.wires.address(program, Server::Postgres);
        let rabbitmq = self.wires.address(program, Server::RabbitMq);
        let mut all = programs::settings(program);
        let here = [
            ("DATABASE_URL", format!("postgres://postgres@{postgres}/{}", self.database)),
            ("AMQP_URL", format!("amqp://guest:guest@{rabbitmq}/%2f")),
            ("ORCH_QUEUE_PREFIX", self.prefix.clone()),
        ];
        all.extend(here.map(|(name, value)| (name.to_owned(), value)));
        all.extend(self.beside.iter().cloned());
        all
    }
}
