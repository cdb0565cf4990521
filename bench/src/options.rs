//! What one can ask for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::{site::Choices, sizes::Sizes};

/// The measures, in the order in which they are taken; also the members of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Measure {
    Idle,
    Single,
    Batch,
    Steady,
    Chain,
    Webhooks,
    Inflight,
    Million,
}

impl Measure {
    /// Those that can be taken on an empty store and on a full one.
    pub(crate) const ON_ANY_STORE: [Self; 6] =
        [Self::Single, Self::Batch, Self::Steady, Self::Chain, Self::Webhooks, Self::Inflight];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Single => "single",
            Self::Batch => "batch",
            Self::Steady => "steady",
            Self::Chain => "chain",
            Self::Webhooks => "webhooks",
            Self::Inflight => "inflight",
            Self::Million => "million",
        }
    }
}

/// Measures the services on this machine, with servers of its own.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub(crate) struct Options {
    /// Only these measures; several with commas [default: all].
    #[arg(long, value_delimiter = ',', value_name = "MEASURE")]
    pub(crate) only: Vec<Measure>,
    /// Tasks of each throughput.
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub(crate) tasks: usize,
    /// Tasks before each measure that do not count.
    #[arg(long, default_value_t = 3_000, value_name = "N")]
    pub(crate) warm_up: usize,
    /// Seconds of each measure at a rate.
    #[arg(long, default_value_t = 20, value_name = "S")]
    pub(crate) seconds: usize,
    /// Connections of each throughput.
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub(crate) connections: usize,
    /// Tasks of one request, in `batch`.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) batch_size: usize,
    /// Tasks that one worker holds at once, in `inflight`.
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    pub(crate) in_flight: usize,
    /// Finished tasks in the store, in `million`.
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    pub(crate) finished: usize,
    /// Folder of release binaries that exist [default: they are built].
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,
    /// Take what was built last.
    #[arg(long)]
    pub(crate) no_build: bool,
    /// A variable for services, beside their defaults; `worker:ORCH_WORKER_BATCH=512` for one of them. May be given again.
    #[arg(long, value_name = "[SERVICE:]NAME=VALUE", value_parser = variable)]
    pub(crate) set: Vec<(Option<String>, String, String)>,
    /// A setting of PostgreSQL, beside those of the tool. May be given again.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) postgres: Vec<(String, String)>,
    /// Count statements (`pg_stat_statements`) and tell what each measure spent on which.
    #[arg(long)]
    pub(crate) statements: bool,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench/summary.json", value_name = "FILE")]
    pub(crate) out: PathBuf,
}

impl Options {
    pub(crate) fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            tasks: self.tasks.max(1),
            seconds: self.seconds.max(1),
            connections: self.connections.max(1),
            batch: self.batch_size.clamp(1, 1_000),
            in_flight: self.in_flight.clamp(1, 20_000),
        }
    }

    pub(crate) fn choices(&self, binaries: PathBuf) -> Choices {
        Choices {
            binaries,
            postgres: self.postgres.clone(),
            variables: self.set.clone(),
            statements: self.statements,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no =")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn variable(text: &str) -> Result<(Option<String>, String, String), String> {
    let (name, value) = pair(text)?;
    Ok(match name.split_once(':') {
        Some((service, name)) => (Some(service.to_owned()), name.to_owned(), value),
        None => (None, name, value),
    })
}
