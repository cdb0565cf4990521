//! The results: a table for people, JSON for programs, a page for the project.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use serde::Serialize;

use crate::{cli::Scale, stage::Verdict};

/// Everything that an invocation found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) seed: u64,
    pub(crate) scale: String,
    pub(crate) binaries: String,
    /// Seconds since 1970.
    pub(crate) at: u64,
    pub(crate) seconds: f64,
    pub(crate) passed: bool,
    pub(crate) scenarios: Vec<Verdict>,
    /// Scenarios that this machine cannot play, and why.
    pub(crate) not_possible: Vec<String>,
}

impl Summary {
    pub(crate) fn new(seed: u64, scale: Scale, binaries: &Path) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            seed,
            scale: scale.name().to_owned(),
            binaries: binaries.display().to_string(),
            at: since.as_secs(),
            seconds: 0.0,
            passed: true,
            scenarios: Vec::new(),
            not_possible: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, verdict: Verdict, elapsed: Duration) {
        self.passed &= verdict.passed;
        self.seconds = elapsed.as_secs_f64();
        self.scenarios.push(verdict);
    }

    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// A page with the table, and with how to get it again.
    pub(crate) fn write_markdown(&self, path: &Path) -> Result<()> {
        let mut page = String::from("# Results of the chaos scenarios\n\n");
        page.push_str(&format!(
            "Written by `make chaos-long`; [chaos.md](chaos.md) says what the scenarios are and how to read this.\n\
             Scale `{}`, seed `{}`, {:.0} s in all. Verdict: **{}**.\n\n",
            self.scale,
            self.seed,
            self.seconds,
            if self.passed { "passed" } else { "failed" }
        ));
        page.push_str(
            "| scenario | what was done | tasks | grants | rescued | late writes fenced | worst lateness | time | verdict |\n\
             | --- | --- | --: | --: | --: | --: | --: | --: | --- |\n",
        );
        for it in &self.scenarios {
            page.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {:.2} s | {:.0} s | {} |\n",
                it.scenario,
                done(it),
                it.tasks,
                it.grants,
                it.rescued,
                it.fenced,
                seconds(it.worst_lateness_ms),
                it.seconds,
                verdict(it)
            ));
        }
        for it in &self.not_possible {
            page.push_str(&format!("\nNot possible on this machine: {it}\n"));
        }
        Ok(fs::write(path, page)?)
    }
}

/// Prints the head of the table.
pub(crate) fn head() {
    say(&format!(
        "{:<19} {:>6} {:>7} {:>7} {:>6} {:>8} {:>6}  {:<7} {}",
        "scenario",
        "tasks",
        "grants",
        "rescued",
        "fenced",
        "late",
        "time",
        "verdict",
        "what was done"
    ));
}

/// Prints a line of the table.
pub(crate) fn line(it: &Verdict) {
    say(&format!(
        "{:<19} {:>6} {:>7} {:>7} {:>6} {:>6.2} s {:>4.0} s  {:<7} {}",
        it.scenario,
        it.tasks,
        it.grants,
        it.rescued,
        it.fenced,
        seconds(it.worst_lateness_ms),
        it.seconds,
        verdict(it),
        done(it)
    ));
}

/// Prints a line.
pub(crate) fn say(text: &str) {
    // Nobody reads any more: then there is nobody to tell.
    let _closed = writeln!(io::stdout(), "{text}");
}

fn verdict(it: &Verdict) -> &'static str {
    if it.passed { "passed" } else { "FAILED" }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

fn done(it: &Verdict) -> String {
    let mut done: Vec<_> = it.done.iter().map(|(what, count)| format!("{count} {what}")).collect();
    if it.worst_stall_ms > 1_000 {
        done.push(format!("the machine stood still for {:.1} s", seconds(it.worst_stall_ms)));
    }
    done.join(", ")
}
