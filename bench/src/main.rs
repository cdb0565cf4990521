//! `bench`: how fast the services are on this machine, and what they cost.
//!
//! It starts servers and services of its own, measures, and prints what came out; `docs/performance.md` says how to read it.
//! All of it runs in one thread, since it takes its time from what it measures.

mod bodies;
mod course;
mod deliveries;
mod figures;
mod finished;
mod http;
mod load;
mod machine;
mod measures;
mod meter;
mod model_server;
mod options;
mod output;
mod processes;
mod site;
mod sizes;
mod statements;
mod summary;
mod truth;
mod yardstick;

use std::process::ExitCode;

use clap::Parser;
use options::Options;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let whole = async {
        machine::raise_open_files()?;
        course::run(options).await
    };
    // Whoever breaks it off wants the servers to end with it, which they do when they are dropped.
    let done = tokio::select! {
        done = whole => done,
        broken_off = broken_off() => broken_off,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn broken_off() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    anyhow::bail!("broken off")
}
