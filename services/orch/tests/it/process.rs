//! `orch dev` as a process of its own.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::program::{Ended, Running, orch};

/// Nothing listens there.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

/// `orch dev` on a free port, with no model server to be found.
pub(crate) fn dev(home: &Path) -> Command {
    let mut program = orch(home);
    program
        .env("ORCH_PORT", "0")
        .env("LOCAL_LLM_URL", NOBODY)
        .env("ORCH_SHUTDOWN_GRACE_MS", "1000");
    program
}

/// Starts it and gives back what it announces.
pub(crate) async fn start(program: Command) -> (Running, Value) {
    let mut running = Running::start(program, ["dev", "--json"]);
    let announced = running.printed("{").await;
    (running, serde_json::from_str(&announced).unwrap())
}

pub(crate) fn client(home: &Path, announced: &Value) -> Command {
    let mut program = orch(home);
    program.env("ORCH_SERVER", announced["url"].as_str().unwrap());
    program
}

pub(crate) async fn stopped(running: Running) -> Ended {
    running.signal(Signal::TERM);
    running.ended().await.assert(0)
}
