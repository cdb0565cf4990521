//! Reads arguments and environment: where variables are wrong, all of them are told at once.

use std::{error::Error as _, ffi::OsString};

use clap::{
    Arg, Command, CommandFactory, FromArgMatches,
    builder::{OsStr, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::failure::Failure;

/// What was read.
pub struct Reading<C> {
    /// Wrong variables are read as if they were not set.
    pub config: C,
    /// A sentence for each variable that is wrong.
    pub wrong: Vec<String>,
}

/// Reads `arguments`, the program's name first, and the environment. clap stops at the first variable that is wrong, so that
/// one is noted and left out, and the rest is read again.
///
/// # Errors
/// A mistake on the command line itself, or a wish for help, as clap tells it.
pub fn read<C: CommandFactory + FromArgMatches>(
    arguments: &[OsString],
) -> Result<Reading<C>, clap::Error> {
    let mut command = C::command();
    let mut wrong = Vec::new();
    loop {
        let matches = command.clone().try_get_matches_from(arguments);
        let error = match matches.and_then(|mut it| C::from_arg_matches_mut(&mut it)) {
            Ok(config) => return Ok(Reading { config, wrong }),
            Err(error) => error,
        };
        let mut built = command.clone();
        built.build();
        let Some((path, arg)) = culprit(&built, arguments, &error) else { return Err(error) };
        wrong.push(sentence(arg, &error));
        command = without_variable(command, &path, arg.get_id().as_str());
    }
}

/// The subcommands that the arguments name, and the variable that an error is about; none where it is about an argument.
fn culprit<'c>(
    built: &'c Command,
    arguments: &[OsString],
    error: &clap::Error,
) -> Option<(Vec<String>, &'c Arg)> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let shown = error.get(ContextKind::InvalidArg)?.to_string();
    let told = error.get(ContextKind::InvalidValue)?.to_string();
    let mut levels = vec![built];
    for name in arguments.iter().skip(1).take_while(|it| *it != "--") {
        levels.extend(levels.last().and_then(|it| it.find_subcommand(name)));
    }
    let path = levels.iter().skip(1).map(|it| it.get_name().to_owned()).collect();
    let arg =
        levels.iter().rev().flat_map(|it| it.get_arguments()).find(|it| it.to_string() == shown)?;
    let given = std::env::var_os(arg.get_env()?)?;
    (told == given.to_string_lossy()).then_some((path, arg))
}

/// The command with one variable not looked at any more, on whichever level of `path` it is declared.
fn without_variable(command: Command, path: &[String], id: &str) -> Command {
    let command = if command.get_arguments().any(|it| it.get_id() == id) {
        command.mut_arg(id, |it| it.env(Resettable::<OsStr>::Reset))
    } else {
        command
    };
    match path.split_first() {
        Some((first, rest)) => command.mut_subcommand(first, |it| without_variable(it, rest, id)),
        None => command,
    }
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

/// Every user of a machine can read the arguments of its programs.
pub(crate) fn refuse_key_argument(arguments: &[OsString]) -> Result<(), Failure> {
    let is_key = |it: &&OsString| it.to_string_lossy().split('=').next() == Some("--api-key");
    match arguments.iter().take_while(|it| *it != "--").find(is_key) {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            "an API key is not taken from the command line, which every user can read",
        )
        .advising("Set ORCH_API_KEY, or name a file that holds the key with --key-file.")),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, Subcommand};

    use super::*;

    /// Cargo sets these for every test, and no program of ours reads them.
    #[derive(Debug, Parser)]
    struct Program {
        #[arg(long, global = true, env = "CARGO_PKG_NAME", default_value_t = 1)]
        number: u16,
        #[command(subcommand)]
        command: Sub,
    }

    #[derive(Debug, Subcommand)]
    enum Sub {
        Deep {
            #[command(subcommand)]
            command: Deeper,
        },
    }

    #[derive(Debug, Subcommand)]
    enum Deeper {
        Down {
            #[arg(long, env = "CARGO_PKG_VERSION", value_parser = ["a", "b"], default_value = "a")]
            choice: String,
            #[arg(long, env = "CARGO_MANIFEST_DIR", hide_env_values = true, default_value_t = 2)]
            hidden: u16,
        },
    }

    fn read_program(arguments: &[&str]) -> Result<Reading<Program>, clap::Error> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        read(&arguments)
    }

    #[test]
    fn every_wrong_variable_is_told_and_read_as_if_it_were_not_set() {
        let mut reading = read_program(&["program", "deep", "down"]).unwrap();
        reading.wrong.sort();
        let expected = [
            "CARGO_MANIFEST_DIR is `…`: invalid digit found in string",
            concat!(
                "CARGO_PKG_NAME is `",
                env!("CARGO_PKG_NAME"),
                "`: invalid digit found in string"
            ),
            "CARGO_PKG_VERSION is `0.0.0`: use one of a, b",
        ];
        assert_eq!(reading.wrong, expected);
        let Sub::Deep { command: Deeper::Down { choice, hidden } } = reading.config.command;
        assert_eq!((reading.config.number, choice.as_str(), hidden), (1, "a", 2));
    }

    #[test]
    fn a_mistake_on_the_command_line_is_told_as_clap_tells_it() {
        let refused = read_program(&["program", "deep", "down", "--choice", "c"]).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidValue);
    }

    #[test]
    fn a_key_on_the_command_line_is_refused_however_it_is_written() {
        let check = |arguments: &[&str], allowed| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(refuse_key_argument(&arguments).is_ok(), allowed, "{arguments:?}");
        };
        check(&["orch", "agents", "--api-key", "orch_x"], false);
        check(&["orch", "--api-key=orch_x", "agents"], false);
        check(&["orch", "agents", "--key-file", "x"], true);
        check(&["orch", "run", "--", "--api-key"], true);
    }
}
