//! Starts again what ends, as Kubernetes does, and knows who died of what.

use std::{collections::BTreeMap, fs, os::unix::process::ExitStatusExt, path::PathBuf};

use e2e::stack::{Program, Settings, Stack};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::plan::Round;

/// What `abort` ends a process with.
const SIGABRT: i32 = 6;

/// Where the programs find their orders and say what they have reached.
pub(crate) struct Orders {
    dir: TempDir,
}

impl Orders {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Has every service look here.
    pub(crate) fn known_to(&self, settings: Settings) -> Settings {
        Program::ALL.into_iter().fold(settings, |settings, program| {
            let path = |kind: &str| self.path(program.name(), kind).display().to_string();
            settings.own(program, "ORCH_FAULT_ORDERS", &path("orders")).own(
                program,
                "ORCH_FAULT_SEEN",
                &path("seen"),
            )
        })
    }

    pub(crate) fn give(&self, round: &Round) {
        for (program, points) in &round.orders {
            let text: String = points.iter().map(|it| format!("{it}\n")).collect();
            let file = self.path(program, "orders");
            // Whole or not at all, for it is read at every point.
            fs::write(file.with_extension("draft"), text).unwrap();
            fs::rename(file.with_extension("draft"), file).unwrap();
        }
    }

    /// What has not been carried out yet.
    pub(crate) fn left(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut left = BTreeMap::new();
        for program in Program::ALL {
            let text = fs::read_to_string(self.path(program.name(), "orders")).unwrap_or_default();
            if !text.is_empty() {
                left.insert(program.name(), text.lines().map(str::to_owned).collect());
            }
        }
        left
    }

    /// Every point that a program has reached so far.
    pub(crate) fn seen(&self, program: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(program, "seen")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn path(&self, program: &str, kind: &str) -> PathBuf {
        self.dir.path().join(format!("{program}.{kind}"))
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Keeper {
    /// How often each service has crashed.
    crashes: BTreeMap<&'static str, usize>,
    /// Services that were told to end, and have not yet.
    ending: Vec<&'static str>,
}

impl Keeper {
    /// Starts again what has ended since the last look.
    pub(crate) fn look(&mut self, stack: &mut Stack) {
        for program in Program::ALL {
            let name = program.name();
            let Some(status) = stack.revive(name) else { continue };
            let told = self.ending.contains(&name);
            self.ending.retain(|it| *it != name);
            match status.signal() {
                Some(SIGABRT) => *self.crashes.entry(name).or_default() += 1,
                Some(_) | None => {
                    assert!(told && status.success(), "{name} ended by itself: {status}");
                }
            }
        }
    }

    /// Tells a service to end; it is started again when it has.
    pub(crate) fn terminate(&mut self, stack: &Stack, name: &'static str) {
        if !self.ending.contains(&name) {
            self.ending.push(name);
            stack.signal(name, Signal::TERM);
        }
    }

    /// How often each service has crashed since this was asked.
    pub(crate) fn crashes(&mut self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.crashes)
    }
}
