//! Reads arguments and environment: where variables are wrong, all of them are told at once.

use std::{error::Error as _, ffi::OsString, process::exit};

use clap::{
    Arg, Command, CommandFactory, FromArgMatches, Parser,
    builder::{OsStr, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
};

/// What a wrong setting ends a program with.
const WRONG_SETTINGS: i32 = 2;

/// What was read.
pub struct Reading<C> {
    /// Wrong variables are read as if they were not set.
    pub config: C,
    /// A sentence for each variable that is wrong.
    pub wrong: Vec<String>,
}

/// The settings of this process. Where some are wrong it ends with code 2 and one message that names them all, those too
/// that `check` finds wrong beyond single values: a sentence each, which begins with the variable.
pub fn of_this_process<C: Parser>(check: impl FnOnce(&C) -> Vec<String>) -> C {
    let reading = match read(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(reading) => reading,
        Err(error) => error.exit(),
    };
    let (config, wrong) = checked(reading, check);
    if wrong.is_empty() {
        return config;
    }
    tell(&wrong);
    exit(WRONG_SETTINGS)
}

/// What is wrong with single variables, and what `check` adds to it.
fn checked<C>(reading: Reading<C>, check: impl FnOnce(&C) -> Vec<String>) -> (C, Vec<String>) {
    let Reading { config, mut wrong } = reading;
    // A wrong variable reads as if it were not set, of which nothing is to be said.
    let is_news = |it: &String| wrong.iter().all(|told| variable(told) != variable(it));
    let more: Vec<String> = check(&config).into_iter().filter(is_news).collect();
    wrong.extend(more);
    (config, wrong)
}

/// The variable that a sentence is about: its first word.
fn variable(sentence: &str) -> Option<&str> {
    sentence.split(' ').next()
}

fn tell(wrong: &[String]) {
    eprintln!("error: these settings are wrong:\n  {}", wrong.join("\n  "));
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
    fn what_is_wrong_altogether_is_told_beside_but_no_variable_twice() {
        let reading = read_program(&["program", "deep", "down"]).unwrap();
        let alone = reading.wrong.clone();
        let check = |program: &Program| {
            vec![
                format!("{} is checked too", program.number),
                "CARGO_PKG_NAME is told already".to_owned(),
            ]
        };
        let (_, wrong) = checked(reading, check);
        assert_eq!(wrong, [alone, vec!["1 is checked too".to_owned()]].concat());
    }
}
