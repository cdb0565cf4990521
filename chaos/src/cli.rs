//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::scenario::Scenario;

/// Breaks the parts of an installation while it works, and checks that nothing was lost, doubled or left behind.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How much of everything: quick takes minutes, long much longer.
    #[arg(long, value_enum, default_value_t = Scale::Full, global = true)]
    pub(crate) scale: Scale,
    /// Decides what happens when. One is drawn if none is given, and printed.
    #[arg(long, env = "SEED", global = true)]
    pub(crate) seed: Option<u64>,
    /// The scenarios to run, comma separated; all of them if none is named.
    #[arg(long, env = "SCENARIO", value_delimiter = ',', global = true)]
    pub(crate) scenario: Vec<Scenario>,
    /// The build whose programs are started: release or debug. The newer one of these if none is named.
    #[arg(long, env = "PROFILE", global = true)]
    pub(crate) profile: Option<String>,
    /// A folder with the programs, instead of a build of this project.
    #[arg(long, global = true)]
    pub(crate) binaries: Option<PathBuf>,
    /// Writes the results as a page, too.
    #[arg(long, global = true)]
    pub(crate) markdown: Option<PathBuf>,
    /// Keeps the logs of a scenario that passed, as those of one that failed are kept.
    #[arg(long, global = true)]
    pub(crate) keep_logs: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs scenarios (the default).
    Run,
    /// Takes guards out, one after the other, and fails unless the checks notice each.
    Controls,
    /// Lists the scenarios.
    List,
}

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    Quick,
    Full,
    Long,
}

impl Scale {
    pub(crate) fn pick<T>(self, quick: T, full: T, long: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
            Self::Long => long,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.pick("quick", "full", "long")
    }
}
