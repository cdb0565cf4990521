//! Every setting: whether it can be read, whether all go together, and whether there are some that nobody reads.

use std::ffi::OsString;

use clap::Parser;

use super::Finding;
use crate::{
    dev::DevArgs,
    failure::{Exit, Failure},
    variables,
};

const NAME: &str = "settings";
/// What the names of our own variables begin with.
const PREFIXES: [&str; 2] = ["ORCH_", "LOCAL_LLM_"];
/// Read by scripts of this project, not by its programs.
const OF_SCRIPTS: [&str; 2] = ["ORCH_TOOLS", "ORCH_TEST_"];

/// The settings in the environment.
pub(super) struct Environment {
    /// Wrong ones are read as if they were not set.
    pub(super) args: DevArgs,
    pub(super) findings: Vec<Finding>,
}

/// The settings of all services together are those of `orch dev`.
#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    dev: DevArgs,
}

pub(super) fn read() -> Result<Environment, Failure> {
    let reading =
        program::settings::read::<Settings>(&[OsString::from("orch dev")]).map_err(|error| {
            Failure::new(Exit::Failed, format!("the settings cannot be read: {error}"))
        })?;
    let args = reading.config.dev;
    let mut wrong = reading.wrong;
    wrong.extend(args.clone().check().err().unwrap_or_default());
    let mut findings: Vec<Finding> = wrong
        .into_iter()
        .map(|it| Finding::broken(NAME, it, "Set it to what it may hold, or unset it."))
        .collect();
    let known = variables::all();
    let given: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let (ours, unread): (Vec<&String>, Vec<&String>) =
        given.iter().filter(|it| is_ours(it)).partition(|it| known.contains_key(*it));
    findings.extend(unread.into_iter().map(|name| unread_variable(name, known.keys())));
    if findings.is_empty() {
        let detail = match ours.len() {
            0 => "none is set: everything has its default".to_owned(),
            count => format!("{count} are set, and all can be read"),
        };
        findings.push(Finding::ok(NAME, detail));
    }
    Ok(Environment { args, findings })
}

fn is_ours(name: &str) -> bool {
    let begins_with_one_of = |prefixes: &[&str]| prefixes.iter().any(|it| name.starts_with(it));
    begins_with_one_of(&PREFIXES) && !begins_with_one_of(&OF_SCRIPTS)
}

fn unread_variable<'n>(name: &str, known: impl Iterator<Item = &'n String>) -> Finding {
    let nearest = known.map(|it| (distance(name, it), it)).min();
    let advice = match nearest {
        Some((distance, nearest)) if distance <= 3 => format!("Did you mean {nearest}?"),
        Some(_) | None => "docs/configuration.md lists those that are read.".to_owned(),
    };
    Finding::warning(NAME, format!("{name} is set, and no program reads it"), advice)
}

/// How many characters must be changed, added or left out to make one text of the other (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_told_with_the_one_that_was_meant() {
        let known = ["ORCH_WORKER_CONCURRENCY".to_owned(), "ORCH_PORT".to_owned()];
        let advice = |name: &str| unread_variable(name, known.iter()).advice.unwrap();
        assert_eq!(advice("ORCH_WORKER_CONCURRENCIES"), "Did you mean ORCH_WORKER_CONCURRENCY?");
        assert_eq!(advice("ORCH_PROT"), "Did you mean ORCH_PORT?");
        assert_eq!(
            advice("ORCH_SOMETHING_ELSE"),
            "docs/configuration.md lists those that are read."
        );
    }

    #[test]
    fn the_distance_counts_single_changes() {
        for (one, other, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "ab", 1), ("abc", "xbcd", 2), ("", "ab", 2)]
        {
            assert_eq!(
                (distance(one, other), distance(other, one)),
                (expected, expected),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn variables_of_others_are_none_of_ours() {
        assert!(is_ours("ORCH_PORT") && is_ours("LOCAL_LLM_URL"));
        assert!(!is_ours("HOME") && !is_ours("ORCH_TOOLS") && !is_ours("ORCH_TEST_MODEL_URL"));
    }
}
