//! Reads the settings of the process: where some are wrong, one message names them all.

use std::{ffi::OsString, process::exit};

use clap::{
    Command, Parser,
    builder::{OsStr, Resettable},
    error::{ContextKind, ErrorKind},
};

/// Why the settings cannot be used.
enum Refusal {
    /// The command line itself is wrong, or asks for help.
    CommandLine(clap::Error),
    /// One sentence for each variable that is wrong.
    Variables(Vec<String>),
}

/// The settings from command line and environment. Ends the process with code 2 if any is wrong. `check` gives a sentence
/// for each thing that clap does not see.
pub(crate) fn settings<C: Parser>(check: impl FnOnce(&C) -> Vec<String>) -> C {
    match read(C::command(), &std::env::args_os().collect::<Vec<_>>(), check) {
        Ok(config) => config,
        Err(Refusal::CommandLine(error)) => error.exit(),
        Err(Refusal::Variables(wrong)) => {
            eprintln!("error: {} settings are wrong:\n  {}", wrong.len(), wrong.join("\n  "));
            exit(2)
        }
    }
}

/// clap stops at the first wrong variable: it is noted and ignored, and the rest is read again.
fn read<C: Parser>(
    mut command: Command,
    arguments: &[OsString],
    check: impl FnOnce(&C) -> Vec<String>,
) -> Result<C, Refusal> {
    let mut wrong: Vec<String> = Vec::new();
    loop {
        let parsed =
            command.try_get_matches_from_mut(arguments).and_then(|it| C::from_arg_matches(&it));
        let error = match parsed {
            Ok(config) => {
                // What was ignored reads as its default, of which nothing is to be said.
                let new = |it: &String| !wrong.iter().any(|old| name_of(old) == name_of(it));
                let more: Vec<String> = check(&config).into_iter().filter(new).collect();
                wrong.extend(more);
                return if wrong.is_empty() { Ok(config) } else { Err(Refusal::Variables(wrong)) };
            }
            Err(error) => error,
        };
        match culprit(&command, &error) {
            Some((id, name)) => {
                wrong.push(format!("{name}: {}", in_words(&error)));
                command = command.mut_arg(id, |arg| arg.env(Resettable::<OsStr>::Reset));
            }
            None => return Err(Refusal::CommandLine(error)),
        }
    }
}

/// The argument and the variable that an error is about, if its value came from the environment.
fn culprit(command: &Command, error: &clap::Error) -> Option<(String, String)> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let shown = error.get(ContextKind::InvalidArg)?.to_string();
    let arg = command.get_arguments().find(|it| it.to_string() == shown)?;
    let name = arg.get_env()?.to_str()?.to_owned();
    std::env::var_os(&name)?;
    Some((arg.get_id().to_string(), name))
}

/// What clap says of a value, without its hint to `--help`.
fn in_words(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty() && !it.starts_with("For more information"));
    let words = lines.collect::<Vec<_>>().join(" ");
    words.strip_prefix("error: ").unwrap_or(&words).to_owned()
}

/// The variable that a sentence begins with.
fn name_of(sentence: &str) -> &str {
    sentence.split([':', ' ']).next().unwrap_or_default()
}
