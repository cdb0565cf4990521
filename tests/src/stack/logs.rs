//! What programs have logged.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

/// Lines of each log that a failed test shows.
const SHOWN: usize = 60;

/// The logs of a stack, by service.
#[derive(Debug)]
pub struct Logs(BTreeMap<String, String>);

impl Logs {
    pub(super) fn read(dir: &Path) -> Self {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let read = |entry: fs::DirEntry| {
            let name = entry.path().file_stem()?.to_string_lossy().into_owned();
            Some((name, fs::read_to_string(entry.path()).ok()?))
        };
        Self(entries.filter_map(read).collect())
    }

    /// Shows the end of each, for whoever looks why a test failed. Lines at `debug` are left out.
    pub(super) fn show(&self) {
        for (name, text) in &self.0 {
            let shown = |it: &&str| !it.contains(r#""level":"DEBUG""#);
            let lines: Vec<_> = text.lines().filter(shown).collect();
            let begin = lines.len().saturating_sub(SHOWN);
            eprintln!("--- log of {name}, {} of {} lines", lines.len() - begin, lines.len());
            for line in &lines[begin..] {
                eprintln!("{line}");
            }
        }
    }

    /// Fails if one of the secrets is in a log.
    #[track_caller]
    pub fn assert_without(&self, secrets: &[&str]) {
        for (name, text) in &self.0 {
            for (index, secret) in secrets.iter().enumerate() {
                assert!(!secret.is_empty(), "secret {index} is empty");
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "{name} has logged secret {index}");
            }
        }
    }

    /// Every line logged at `error`: what a person must look at. The AMQP library calls it an error that the broker closes a
    /// connection that both have just agreed to close.
    pub fn errors(&self) -> Vec<String> {
        let is_error = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            let by_library = line["target"].as_str().is_some_and(|it| it.starts_with("lapin::"));
            line["level"] == "ERROR" && !by_library
        };
        let of = |(name, text): (&String, &String)| -> Vec<String> {
            text.lines().filter(is_error).map(|line| format!("{name}: {line}")).collect()
        };
        self.0.iter().flat_map(of).collect()
    }
}
