//! The `api-gateway` program.

use std::process::ExitCode;

use api_gateway::{Config, settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a wrong setting ends the program with.
const WRONG_SETTINGS: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let checked = settings::parse::<Config>()
        .and_then(|config| config.validate().map(|settings| (config, settings)));
    let (config, settings) = match checked {
        Ok(checked) => checked,
        Err(errors) => return refuse(&errors.to_string(), WRONG_SETTINGS),
    };
    let telemetry = match telemetry::init(&config.telemetry, "api-gateway") {
        Ok(telemetry) => telemetry,
        Err(error) => return refuse(&format!("{error:#}"), 1),
    };
    match api_gateway::run(config, settings, telemetry, until_told_to_stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %format_args!("{error:#}"), "api-gateway ends");
            ExitCode::FAILURE
        }
    }
}

/// A token that SIGTERM and SIGINT cancel.
fn until_told_to_stop() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let told = shutdown.clone();
    tokio::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!(
                "cannot listen for signals; SIGTERM ends this program without draining"
            );
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        told.cancel();
    });
    shutdown
}

#[expect(clippy::print_stderr, reason = "before telemetry there is no log")]
fn refuse(reason: &str, code: u8) -> ExitCode {
    eprintln!("api-gateway: {reason}");
    ExitCode::from(code)
}
