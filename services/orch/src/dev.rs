//! `orch dev`: API, webhook receiver, worker and scheduler in one process, by default on the embedded store and queue.
//!
//! ```text
//!  settings ─▶ port ─▶ agents ─▶ store, migrated ─▶ queue ─▶ services ─▶ "is running" ─▶ (signal) ─▶ drained
//! ```

mod agents;
mod announcement;
mod args;
mod services;
mod signals;

use std::ffi::OsString;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use worker::Shutdown;

pub(crate) use self::{
    agents::{advice_on_models, missing as missing_models},
    announcement::place,
};
pub use self::{
    announcement::Announcement,
    args::{DevArgs, DevSettings},
    services::Dev,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Runs until a signal. `wrong` are the variables that could not be read.
pub(crate) async fn command(
    args: DevArgs,
    mut wrong: Vec<String>,
    arguments: &[OsString],
    output: &Output,
) -> Outcome {
    let settings = match args.check() {
        Ok(settings) if wrong.is_empty() => settings,
        Ok(_) => return Err(Failure::wrong_settings(&wrong)),
        Err(more) => {
            wrong.extend(more);
            return Err(Failure::wrong_settings(&wrong));
        }
    };
    let telemetry = telemetry::init(&settings.telemetry, "orch")?;
    let shutdown = Shutdown { stop: CancellationToken::new(), hurry: CancellationToken::new() };
    signals::listen(&shutdown)?;
    let dev = Dev::start(settings, telemetry, shutdown).await?;
    let announcement = dev.announcement();
    if output.is_json() {
        output.line(json!(announcement))?;
    } else {
        output.line(announcement.in_words(&program(arguments)))?;
    }
    dev.serve().await?;
    Ok(Exit::Completed)
}

/// How this program was called, so that it can be called again in the same way.
fn program(arguments: &[OsString]) -> String {
    match arguments.first().and_then(|it| it.to_str()) {
        Some(path) if path.contains('/') => path.to_owned(),
        Some(_) | None => "orch".to_owned(),
    }
}
