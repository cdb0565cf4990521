//! The command line: everything that the API can do, and `orch dev`, which is all services in one process.
//!
//! ```text
//!  arguments, environment ─▶ settings::read ─▶ Cli ─▶ one file for each command ─▶ Exit
//!                                                      ├─ client ─▶ the API           (run, tasks, runs, dlq, …)
//!                                                      ├─ store                       (keys, migrate)
//!                                                      └─ the services' libraries     (dev, doctor)
//! ```
//!
//! Standard output has what was asked for, standard error what is said beside it; with `--json` the former is JSON alone.

mod cli;
mod failure;
mod key_argument;
mod output;
pub mod variables;

pub mod dev;
mod doctor;
mod keys;
mod migrate;

mod client;
mod names;
mod page;
mod repository;
mod view;

mod follow;
mod run;
mod runs;
mod tasks;

mod agents;
mod deliveries;
mod dlq;
mod schedules;

use std::ffi::OsString;

pub use crate::{cli::Cli, failure::Exit};
use crate::{
    cli::Command,
    failure::{Failure, Outcome},
    output::Output,
};

/// Does what the arguments say, the program's own name first.
pub async fn run(arguments: Vec<OsString>) -> Exit {
    telemetry::http_client::install_tls();
    let reading = match program::settings::read::<Cli>(&arguments) {
        Ok(reading) => reading,
        Err(error) => error.exit(),
    };
    let output = Output::new(reading.config.json);
    let outcome = match key_argument::refuse_key_argument(&arguments) {
        Ok(()) => command(reading.config.command, reading.wrong, &arguments, &output).await,
        Err(failure) => Err(failure),
    };
    outcome.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    })
}

/// `wrong` are the variables that could not be read.
async fn command(
    command: Command,
    wrong: Vec<String>,
    arguments: &[OsString],
    output: &Output,
) -> Outcome {
    // `dev` names what does not go together with them.
    if let Command::Dev(args) = command {
        return Box::pin(dev::command(*args, wrong, arguments, output)).await;
    }
    if !wrong.is_empty() {
        return Err(Failure::wrong_settings(&wrong));
    }
    match command {
        Command::Dev(_) => Ok(Exit::Completed),
        Command::Run(args) => Box::pin(run::command(args, output)).await,
        Command::Tasks(args) => Box::pin(tasks::command(args, output)).await,
        Command::Runs(args) => Box::pin(runs::command(args, output)).await,
        Command::Dlq(args) => Box::pin(dlq::command(args, output)).await,
        Command::Schedules(args) => Box::pin(schedules::command(args, output)).await,
        Command::Deliveries(args) => Box::pin(deliveries::command(args, output)).await,
        Command::Agents(args) => Box::pin(agents::command(args, output)).await,
        Command::Keys(args) => Box::pin(keys::command(args, output)).await,
        Command::Migrate(args) => Box::pin(migrate::command(args, output)).await,
        Command::Doctor(args) => Box::pin(doctor::command(args, output)).await,
    }
}
