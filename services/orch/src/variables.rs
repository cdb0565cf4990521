//! Every environment variable that some program reads, from the definitions by which they read it.

use std::collections::BTreeMap;

use clap::{Arg, Command, CommandFactory};

use crate::Cli;

/// How one program reads a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// `worker`, `orch dev`, …
    pub program: String,
    pub default: Option<String>,
    /// What it means, as `--help` says it.
    pub help: String,
    /// The closed list of what it may hold, if there is one.
    pub allowed: Vec<String>,
    /// Whether its value is shown nowhere.
    pub is_secret: bool,
}

/// Who reads each variable.
pub type Variables = BTreeMap<String, Vec<Reader>>;

/// The variables of all programs.
pub fn all() -> Variables {
    let mut variables = Variables::new();
    let orch = Cli::command();
    for command in orch.get_subcommands() {
        collect(&mut variables, &format!("orch {}", command.get_name()), command);
    }
    collect(&mut variables, "api-gateway", &api_gateway::Config::command());
    collect(&mut variables, "webhook-ingest", &webhook_ingest::Config::command());
    collect(&mut variables, "worker", &worker::Config::command());
    collect(&mut variables, "scheduler", &scheduler::Config::command());
    variables
}

fn collect(variables: &mut Variables, program: &str, command: &Command) {
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env().and_then(|it| it.to_str()) else { continue };
        let readers = variables.entry(name.to_owned()).or_default();
        if !readers.iter().any(|it| it.program == program) {
            readers.push(reader(program, arg));
        }
    }
    command.get_subcommands().for_each(|it| collect(variables, program, it));
}

fn reader(program: &str, arg: &Arg) -> Reader {
    let defaults: Vec<_> = arg.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    // The long help says all, where there is one.
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let takes_a_name = arg.get_action().takes_values();
    let allowed = arg.get_possible_values().iter().map(|it| it.get_name().to_owned()).collect();
    Reader {
        program: program.to_owned(),
        default: (!defaults.is_empty()).then(|| defaults.join(",")),
        help,
        allowed: if takes_a_name { allowed } else { Vec::new() },
        is_secret: arg.is_hide_env_values_set(),
    }
}
