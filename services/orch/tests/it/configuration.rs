//! docs/configuration.md and docs/cli.md say what the programs' own definitions say.

use std::{collections::BTreeMap, fs, path::Path};

use clap::{Command, CommandFactory};
use orch::{
    Cli,
    variables::{self, Reader, Variables},
};

const BEGIN: &str = "<!-- The tables below are made from the programs' own definitions; a test compares them. -->\n";

/// Sections, each with what the names of its variables begin with. The first that fits has the variable.
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "Where a service listens, and how it ends",
        &["ORCH_HOST", "ORCH_PORT", "ORCH_HTTP_", "ORCH_DRAIN_", "ORCH_SHUTDOWN_", "ORCH_BODY_"],
    ),
    ("Store", &["ORCH_TASK_STORE", "DATABASE_URL", "ORCH_DATA_DIR", "ORCH_DATABASE_"]),
    ("Queue", &["TASK_QUEUE", "AMQP_URL", "ORCH_QUEUE_", "ORCH_ANNOUNCE_"]),
    (
        "Agents and models",
        &[
            "ORCH_AGENT_EXECUTOR",
            "LOCAL_LLM_",
            "ALLOW_HOSTED_LLM",
            "ORCH_LLM_",
            "ORCH_CHECK_LLM",
            "ORCH_TOOL_",
        ],
    ),
    ("Worker", &["ORCH_WORKER_", "ORCH_TASK_TIMEOUT_"]),
    ("Git and workspaces", &["ORCH_GIT_", "ORCH_WORKSPACE_"]),
    (
        "Scheduler, schedules and retention",
        &[
            "ORCH_SCHEDULE",
            "ORCH_RETENTION_",
            "ORCH_DELIVERY_RETENTION_",
            "ORCH_IDEMPOTENCY_",
            "ORCH_RUN_TIMEOUT_",
        ],
    ),
    (
        "API",
        &[
            "ORCH_AUTH",
            "ORCH_API_KEY_CACHE_",
            "ORCH_RATE_LIMIT_",
            "ORCH_MAX_",
            "ORCH_CREATE_",
            "ORCH_STREAM_",
        ],
    ),
    ("Webhooks", &["GITHUB_", "ORCH_WEBHOOK_", "ORCH_TASK_LABELS", "ORCH_GITHUB_"]),
    ("Logs", &["ORCH_LOG"]),
    ("Command line", &["ORCH_SERVER", "ORCH_API_KEY", "ORCH_DOCTOR_"]),
];

/// What the ends of names say of their values.
const UNITS: &[(&str, &str)] = &[
    ("_MS", "ms"),
    ("_SECONDS", "s"),
    ("_MINUTES", "min"),
    ("_HOURS", "h"),
    ("_DAYS", "d"),
    ("_BYTES_PER_SECOND", "bytes/s"),
    ("_PER_SECOND", "1/s"),
    ("_BYTES", "bytes"),
    ("_TOKENS", "tokens"),
];

fn doc(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_reference_of_variables_is_that_of_the_programs() {
    let variables = variables::all();
    let page = doc("configuration.md");
    let (head, tables) = page.split_once(BEGIN).unwrap_or((&page, ""));
    let expected = tables_of(&variables);
    if tables != expected {
        let wanted = Path::new(env!("CARGO_TARGET_TMPDIR")).join("configuration.md");
        fs::write(&wanted, format!("{head}{BEGIN}{expected}")).unwrap();
        panic!(
            "docs/configuration.md is not what the programs say; {} is: look at it and copy it",
            wanted.display()
        );
    }
}

#[test]
fn every_variable_has_a_meaning_and_a_section() {
    for (name, readers) in variables::all() {
        assert!(section(&name).is_some(), "{name} is in no section");
        assert!(!meaning(&readers).is_empty(), "{name} is not explained");
    }
}

fn section(name: &str) -> Option<usize> {
    SECTIONS.iter().position(|(_, prefixes)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

fn tables_of(variables: &Variables) -> String {
    let mut page = String::new();
    for (index, (title, _)) in SECTIONS.iter().enumerate() {
        page.push_str(&format!("\n## {title}\n\n| variable | default | unit or values | read by | meaning |\n| --- | --- | --- | --- | --- |\n"));
        for (name, readers) in variables.iter().filter(|(name, _)| section(name) == Some(index)) {
            page.push_str(&row(name, readers));
        }
    }
    page
}

fn row(name: &str, readers: &[Reader]) -> String {
    let unit = UNITS.iter().find(|(end, _)| name.ends_with(end)).map_or("", |(_, unit)| unit);
    let longest = readers.iter().map(|it| &it.allowed).max_by_key(|it| it.len());
    let values = match longest {
        Some(allowed) if !allowed.is_empty() => allowed.join(", "),
        Some(_) | None => unit.to_owned(),
    };
    let secret = if readers.iter().any(|it| it.is_secret) { "Secret. " } else { "" };
    let cells = [
        format!("`{name}`"),
        defaults(readers),
        values,
        programs(readers),
        format!("{secret}{}", meaning(readers)),
    ];
    format!("| {} |\n", cells.map(|it| it.replace('|', "\\|")).join(" | "))
}

/// One default where all agree, else each with those that have it.
fn defaults(readers: &[Reader]) -> String {
    let mut defaults: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for reader in readers {
        defaults.entry(default_of(reader)).or_default().push(&reader.program);
    }
    let one = |(default, programs): (&String, &Vec<&str>)| {
        if readers.len() == programs.len() {
            default.clone()
        } else {
            format!("{default} ({})", programs.join(", "))
        }
    };
    defaults.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn default_of(reader: &Reader) -> String {
    match (&reader.default, split_default(&reader.help).1) {
        (Some(_), _) if reader.is_secret => "on this machine".to_owned(),
        (Some(default), _) if !default.is_empty() => format!("`{default}`"),
        (_, Some(words)) if words.contains(' ') => words,
        (_, Some(default)) => format!("`{default}`"),
        (_, None) => "–".to_owned(),
    }
}

fn programs(readers: &[Reader]) -> String {
    readers.iter().map(|it| it.program.as_str()).collect::<Vec<_>>().join(", ")
}

/// What the first says who reads it, which is `orch dev` where it does.
fn meaning(readers: &[Reader]) -> String {
    let (meaning, _) = split_default(readers.first().map_or("", |it| &it.help));
    meaning.trim_end_matches('.').to_owned()
}

/// A help text without its `[default: …]`, and that.
fn split_default(help: &str) -> (String, Option<String>) {
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((before, rest)) = help.split_once(" [default: ") else { return (help, None) };
    let (default, after) = rest.split_once(']').unwrap_or((rest, ""));
    let after = after.trim_start_matches('.').trim();
    let meaning = if after.is_empty() { before.to_owned() } else { format!("{before}. {after}") };
    (meaning, Some(default.to_owned()))
}

#[test]
fn the_page_of_the_command_line_names_every_command_and_option() {
    let page = doc("cli.md");
    let mut missing = Vec::new();
    let root = Cli::command();
    for command in root.get_subcommands() {
        check_command(&page, &format!("orch {}", command.get_name()), command, &mut missing);
    }
    assert!(missing.is_empty(), "docs/cli.md does not mention: {missing:#?}");
    for code in [0, 1, 2, 3, 4, 130] {
        assert!(page.contains(&format!("| {code} |")), "exit code {code}");
    }
}

fn check_command(page: &str, name: &str, command: &Command, missing: &mut Vec<String>) {
    if !page.contains(&format!("`{name}")) {
        missing.push(name.to_owned());
    }
    // Settings are in the reference of variables.
    let options = command.get_arguments().filter(|it| it.get_env().is_none() && !it.is_hide_set());
    for option in options.filter_map(|it| it.get_long()) {
        if !page.contains(&format!("--{option}")) {
            missing.push(format!("{name} --{option}"));
        }
    }
    for inner in command.get_subcommands() {
        check_command(page, &format!("{name} {}", inner.get_name()), inner, missing);
    }
}
