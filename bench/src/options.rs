//! What one can ask for.

use std::{path::PathBuf, time::Duration};

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
    Soak,
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
            Self::Soak => "soak",
        }
    }
}

/// Measures the services on this machine, with servers of its own.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub(crate) struct Options {
    /// Only these measures; several with commas [default: all but soak].
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
    /// Minutes of `soak`.
    #[arg(long, default_value_t = 30.0, value_name = "MINUTES", value_parser = minutes)]
    pub(crate) minutes: f64,
    /// Load of `soak`, as a part of the rate that `single` reaches right before.
    #[arg(long, default_value_t = 0.6, value_name = "PART", value_parser = load)]
    pub(crate) load: f64,
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
    /// Whether a measure is taken. A soak is only where it is asked for: it takes longer than all others together.
    pub(crate) fn wants(&self, measure: Measure) -> bool {
        if self.only.is_empty() { measure != Measure::Soak } else { self.only.contains(&measure) }
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            tasks: self.tasks.max(1),
            seconds: self.seconds.max(1),
            connections: self.connections.max(1),
            batch: self.batch_size.clamp(1, 1_000),
            in_flight: self.in_flight.clamp(1, 20_000),
            soak: Duration::from_secs_f64(self.minutes * 60.0),
            load: self.load,
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

/// From one on: in less, not every part that is compared has a sample.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_not_one| "it is no number")?;
    if (1.0..=10_000.0).contains(&minutes) { Ok(minutes) } else { Err("1 to 10000".to_owned()) }
}

fn load(text: &str) -> Result<f64, String> {
    let load: f64 = text.parse().map_err(|_not_one| "it is no number")?;
    if (0.01..=1.0).contains(&load) { Ok(load) } else { Err("0.01 to 1".to_owned()) }
}

fn variable(text: &str) -> Result<(Option<String>, String, String), String> {
    let (name, value) = pair(text)?;
    Ok(match name.split_once(':') {
        Some((service, name)) => (Some(service.to_owned()), name.to_owned(), value),
        None => (None, name, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("bench").chain(arguments.iter().copied()))
    }

    #[test]
    fn a_soak_is_taken_only_where_it_is_asked_for() {
        let all = parsed(&[]).unwrap();
        assert!(all.wants(Measure::Million) && !all.wants(Measure::Soak));
        let only = parsed(&["--only", "soak"]).unwrap();
        assert!(only.wants(Measure::Soak) && !only.wants(Measure::Single));
    }

    #[test]
    fn a_soak_has_bounds() {
        let of = |options: Options| (options.sizes().soak, options.sizes().load);
        assert_eq!(of(parsed(&[]).unwrap()), (Duration::from_secs(1_800), 0.6));
        let short = parsed(&["--minutes", "1.5", "--load", "1"]).unwrap();
        assert_eq!(of(short), (Duration::from_secs(90), 1.0));
        for wrong in [["--minutes", "0.5"], ["--minutes", "NaN"], ["--load", "0"], ["--load", "60"]]
        {
            assert!(parsed(&wrong).is_err(), "{wrong:?}");
        }
    }
}
