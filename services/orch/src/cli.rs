//! The commands: the closed list.

use clap::{Parser, Subcommand};

use crate::{
    agents::AgentsArgs, deliveries::DeliveriesArgs, dev::DevArgs, dlq::DlqArgs, doctor::DoctorArgs,
    keys::KeysArgs, migrate::MigrateArgs, run::RunArgs, runs::RunsArgs, schedules::SchedulesArgs,
    tasks::TasksArgs,
};

/// Coordinates a team of AI agents that grow code in git repositories.
///
/// `orch dev` starts everything on this machine; `orch run "a goal" --repo PATH` has the team work on a repository.
#[derive(Debug, Parser)]
#[command(name = "orch", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// Print JSON on standard output, and nothing else there.
    #[arg(long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done, or the run completed
    1  it failed, or the server refused
    2  wrong usage or settings
    3  the run was cancelled
    4  the server cannot be reached
  130  interrupted while a run was followed";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run API, webhook receiver, worker and scheduler in this process, on the embedded store and queue.
    Dev(Box<DevArgs>),
    /// Start a run, or a single task, and follow it to its end.
    Run(RunArgs),
    /// Tasks: one agent invocation each.
    Tasks(TasksArgs),
    /// Runs: one piece of work each, from trigger to outcome.
    Runs(RunsArgs),
    /// Dead letters: tasks that failed for good.
    Dlq(DlqArgs),
    /// Rules that start runs over time.
    Schedules(SchedulesArgs),
    /// Webhooks received, and what became of each.
    Deliveries(DeliveriesArgs),
    /// The team: what each role is for, and what runs it.
    Agents(AgentsArgs),
    /// API keys, made and ended in the store itself.
    Keys(KeysArgs),
    /// Bring the store's schema up to this version.
    Migrate(MigrateArgs),
    /// Check every setting and everything that they need, and say what to do.
    Doctor(DoctorArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_argument_is_declared_once() {
        Cli::command().debug_assert();
    }
}
