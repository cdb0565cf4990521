//! How the process starts and learns that it should end.

use std::{error::Error as _, ffi::OsString, process::exit};

use clap::{
    Arg, Command, Parser,
    builder::{OsStr, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once.
pub(crate) fn until_told_to_stop() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = CancellationToken::new();
    let told = shutdown.clone();
    tokio::spawn(async move {
        for attempt in 1.. {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if attempt > 1 {
                exit(130);
            }
            tracing::info!("Stopping, because of {name}");
            told.cancel();
        }
    });
    Ok(shutdown)
}

/// The settings of this process. Where some are wrong it ends with exit code 2 and one message that names them all.
pub(crate) fn settings<C: Parser>(check: impl FnOnce(&C) -> Vec<String>) -> C {
    match read(C::command(), &std::env::args_os().collect::<Vec<_>>(), check) {
        Ok(config) => config,
        Err(Refusal::Usage(error)) => error.exit(),
        Err(Refusal::Wrong(sentences)) => {
            eprintln!("error: these settings are wrong:\n  {}", sentences.join("\n  "));
            exit(2)
        }
    }
}

#[derive(Debug)]
enum Refusal {
    /// A mistake on the command line, or a wish for help.
    Usage(clap::Error),
    /// A sentence for each setting.
    Wrong(Vec<String>),
}

/// Reads the settings. clap stops at the first variable that is wrong, so that one is noted, left out, and the rest is read
/// again; what remains is checked as a whole.
fn read<C: Parser>(
    mut command: Command,
    arguments: &[OsString],
    check: impl FnOnce(&C) -> Vec<String>,
) -> Result<C, Refusal> {
    let mut wrong: Vec<String> = Vec::new();
    loop {
        let error = match command
            .try_get_matches_from_mut(arguments)
            .and_then(|it| C::from_arg_matches(&it))
        {
            Ok(config) => {
                // A variable that was left out is not to be told of twice.
                let known = wrong.clone();
                let is_news = |it: &String| known.iter().all(|told| variable(told) != variable(it));
                wrong.extend(check(&config).into_iter().filter(is_news));
                return if wrong.is_empty() { Ok(config) } else { Err(Refusal::Wrong(wrong)) };
            }
            Err(error) => error,
        };
        let Some(arg) = wrong_variable(&command, &error) else { return Err(Refusal::Usage(error)) };
        wrong.push(sentence(arg, &error));
        let id = arg.get_id().clone();
        command = command.mut_arg(id, |arg| arg.env(Resettable::<OsStr>::Reset));
    }
}

/// The setting whose variable an error is about; none where it is about the command line.
fn wrong_variable<'c>(command: &'c Command, error: &clap::Error) -> Option<&'c Arg> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let shown = error.get(ContextKind::InvalidArg)?.to_string();
    let arg = command.get_arguments().find(|arg| arg.to_string() == shown)?;
    let given = std::env::var_os(arg.get_env()?)?;
    let told = error.get(ContextKind::InvalidValue)?.to_string();
    (told == given.to_string_lossy()).then_some(arg)
}

/// The variable that a sentence is about: its first word.
fn variable(sentence: &str) -> Option<&str> {
    sentence.split(' ').next()
}

/// What the variable holds, unless that is a secret, and what it may hold.
fn sentence(arg: &Arg, error: &clap::Error) -> String {
    let variable = arg.get_env().unwrap_or_default().to_string_lossy();
    let value = match error.get(ContextKind::InvalidValue) {
        Some(value) if !arg.is_hide_env_values_set() => value.to_string(),
        Some(_) | None => "…".to_owned(),
    };
    let allowed = match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(names)), _) => format!("use one of {}", names.join(", ")),
        (_, Some(reason)) => reason.to_string(),
        (_, None) => "not a value that it may have".to_owned(),
    };
    format!("{variable} is `{value}`: {allowed}")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Cargo sets these for every test, and no program of ours reads them.
    #[derive(Debug, Parser)]
    struct Program {
        #[arg(long, env = "CARGO_PKG_NAME", default_value_t = 1)]
        number: u16,
        #[arg(long, env = "CARGO_PKG_VERSION", value_parser = ["a", "b"], default_value = "a")]
        choice: String,
        #[arg(long, env = "CARGO_MANIFEST_DIR", hide_env_values = true, default_value_t = 2)]
        hidden: u16,
    }

    fn read_program(arguments: &[&str]) -> Result<Program, Refusal> {
        let arguments: Vec<OsString> =
            ["program"].iter().chain(arguments).map(OsString::from).collect();
        read(Program::command(), &arguments, |program: &Program| {
            vec![
                format!("{} is checked too", program.choice),
                "CARGO_PKG_NAME is told already".to_owned(),
            ]
        })
    }

    #[test]
    fn one_message_names_everything_that_is_wrong() {
        let Err(Refusal::Wrong(sentences)) = read_program(&[]) else {
            panic!("three variables are wrong")
        };
        assert_eq!(
            sentences,
            [
                concat!(
                    "CARGO_PKG_NAME is `",
                    env!("CARGO_PKG_NAME"),
                    "`: invalid digit found in string"
                ),
                "CARGO_PKG_VERSION is `0.0.0`: use one of a, b",
                "CARGO_MANIFEST_DIR is `…`: invalid digit found in string",
                "a is checked too",
            ]
        );
    }

    #[test]
    fn a_mistake_on_the_command_line_is_told_as_clap_tells_it() {
        let refusal =
            read_program(&["--number", "x", "--choice", "a", "--hidden", "1"]).unwrap_err();
        assert!(matches!(refusal, Refusal::Usage(_)), "{refusal:?}");
    }
}
