//! What a scenario plays on: an installation of its own, work for it, and what is noted about it.

mod verdict;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use testbed::Binaries;
use tokio::sync::mpsc;

use crate::{
    checker::Problem, cli::Scale, database::Database, lateness::Lateness, ledger::Ledger,
    load::Load, programs::Program, random::Random, scenario::Scenario, servers::Servers,
    services::Services, wires::Wires,
};

pub(crate) use verdict::Verdict;

/// The usual time in which work comes to rest once nothing is broken any more.
pub(crate) const REST: Duration = Duration::from_secs(90);

/// Who carries tasks out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Executor {
    /// The stub inside the worker.
    Stub,
    /// The model server that keeps a book.
    Ledger,
}

/// What a scenario begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetUp {
    pub(crate) executor: Executor,
    /// Whether every pair of parts has a fault proxy between them.
    pub(crate) proxies: bool,
    pub(crate) workers: usize,
    /// What each worker is told beside its settings.
    pub(crate) worker_settings: &'static [(&'static str, &'static str)],
    pub(crate) schedulers: usize,
}

impl Default for SetUp {
    fn default() -> Self {
        Self {
            executor: Executor::Stub,
            proxies: false,
            workers: 2,
            worker_settings: &[],
            schedulers: 1,
        }
    }
}

/// What is the same for all scenarios of an invocation.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) binaries: Arc<Binaries>,
    pub(crate) scale: Scale,
    pub(crate) seed: u64,
    /// Where logs lie, a folder for each scenario.
    pub(crate) dir: PathBuf,
    /// What every program is told beside the settings.
    pub(crate) beside: Vec<(String, String)>,
    /// How long work may take to come to rest once nothing is broken any more.
    pub(crate) rest: Duration,
}

pub(crate) struct Stage<'s> {
    pub(crate) servers: &'s mut Servers,
    pub(crate) services: Services,
    pub(crate) database: Database,
    pub(crate) ledger: Arc<Ledger>,
    /// Workers that asked the ledger for something poisonous.
    pub(crate) poisoned: mpsc::UnboundedReceiver<String>,
    pub(crate) load: Load,
    pub(crate) http: reqwest::Client,
    pub(crate) lateness: Lateness,
    pub(crate) random: Random,
    pub(crate) scale: Scale,
    /// What was done, and how often.
    pub(crate) tally: BTreeMap<&'static str, u64>,
    /// What the scenario itself found.
    pub(crate) problems: Vec<Problem>,
    /// Workers that run from the beginning to the end, so that what they counted is whole.
    pub(crate) steady_workers: Vec<String>,
    /// When each worker was stopped, for a while.
    pub(crate) stops: Vec<(String, std::time::SystemTime, std::time::SystemTime)>,
    executor: Executor,
    rest: Duration,
    began: Instant,
}

impl<'s> Stage<'s> {
    /// Makes a database and starts one of each service, and workers as many as asked for.
    pub(crate) async fn set_up(
        servers: &'s mut Servers,
        frame: &Frame,
        scenario: Scenario,
    ) -> Result<Self> {
        let began = Instant::now();
        let dir = frame.dir.join(scenario.name());
        fresh(&dir)?;
        let set_up = scenario.set_up();
        let name = format!("chaos_{}", scenario.name());
        let database = Database::create(&servers.postgres.url(), &name).await?;
        let wires = if set_up.proxies {
            Wires::with_proxies(servers).await?
        } else {
            Wires::direct(servers)
        };
        let mut services =
            Services::new(frame.binaries.clone(), &dir, wires, &name, frame.beside.clone());
        services.migrate().await?;
        let (poisoned_sender, poisoned) = mpsc::unbounded_channel();
        let ledger = Ledger::start(poisoned_sender).await?;
        let random = Random::new(frame.seed).fork(scenario.name());
        let http = telemetry::http_client().timeout(Duration::from_secs(8)).build()?;
        let load = Load::new(http.clone(), services.gateway.subscribe(), random.fork("load"));
        services.start("api-gateway", Program::ApiGateway, Vec::new()).await?;
        for number in 1..=set_up.schedulers {
            services.start(&format!("scheduler-{number}"), Program::Scheduler, Vec::new()).await?;
        }
        let mut stage = Self {
            lateness: Lateness::watch(database.clone()),
            servers,
            services,
            database,
            ledger,
            poisoned,
            load,
            http,
            random,
            scale: frame.scale,
            tally: BTreeMap::new(),
            problems: Vec::new(),
            steady_workers: Vec::new(),
            stops: Vec::new(),
            executor: set_up.executor,
            rest: frame.rest,
            began,
        };
        for number in 1..=set_up.workers {
            stage.add_worker(&format!("worker-{number}"), set_up.worker_settings).await?;
        }
        Ok(stage)
    }

    /// Starts another worker, with settings of its own.
    pub(crate) async fn add_worker(&mut self, name: &str, own: &[(&str, &str)]) -> Result<()> {
        let mut settings = match self.executor {
            Executor::Stub => vec![("ORCH_AGENT_EXECUTOR".to_owned(), "stub".to_owned())],
            Executor::Ledger => self.ledger.settings(name),
        };
        settings.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.services.start(name, Program::Worker, settings).await?;
        self.steady_workers.push(name.to_owned());
        Ok(())
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// Kills one (-9) and starts it again without waiting for it.
    pub(crate) async fn kill_and_spawn(&mut self, name: &str) -> Result<()> {
        self.steady_workers.retain(|it| it != name);
        self.services.kill(name).await?;
        self.services.spawn(name)
    }

    /// Notes something that must not be, unless it holds.
    pub(crate) fn expect(&mut self, holds: bool, check: &str, text: impl Into<String>) {
        if !holds {
            self.problems.push(Problem::new(check, text));
        }
    }

    /// Heals everything, waits until the work has come to rest, and says what became of it.
    pub(crate) async fn close(mut self, scenario: Scenario) -> Result<Verdict> {
        self.services.wires.heal();
        self.servers.postgres.resume();
        self.servers.rabbitmq.resume();
        self.services.make_whole().await?;
        let rested = self.until_rest().await?;
        let took_to_rest = if rested { "" } else { " (not at rest in time)" };
        tell(&format!("  {scenario}: checking{took_to_rest}"));
        verdict::of(self, scenario).await
    }

    /// Waits until no task is live and the outbox is empty; false if that takes too long.
    async fn until_rest(&self) -> Result<bool> {
        const OPEN: &str = "SELECT (SELECT count(*) FROM tasks WHERE status NOT IN ('completed', 'failed', 'cancelled'))
            + (SELECT count(*) FROM outbox)";
        let began = Instant::now();
        while began.elapsed() < self.rest {
            if self.database.number(OPEN).await? == 0 {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Says what goes on, on standard error.
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

fn fresh(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).context("the logs of the last time can be removed")?;
    }
    Ok(std::fs::create_dir_all(dir)?)
}
