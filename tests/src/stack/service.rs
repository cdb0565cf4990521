//! A service as a process.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::{Program, Settings, binaries};
use crate::wait::until;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How long an end may take; more than any grace period that tests set.
const END: Duration = Duration::from_secs(30);

/// A running process. It is killed when this is dropped.
pub struct Service {
    name: String,
    program: Program,
    /// Settings beside those of the stack.
    own: Vec<(String, String)>,
    child: Child,
    log: PathBuf,
    url: Option<String>,
}

/// How a process ended.
#[derive(Clone, Debug)]
pub struct Exit {
    pub name: String,
    /// None if a signal ended it.
    pub code: Option<i32>,
    /// From the signal to the end.
    pub took: Duration,
}

/// The folder of the logs of a stack.
pub(super) fn log_dir(dir: &Path) -> PathBuf {
    dir.join("logs")
}

/// A program with the environment that the settings give it, and nothing of the test's own but the way to `git`.
pub(super) fn command(
    binary: &str,
    settings: &Settings,
    program: Option<Program>,
    dir: &Path,
) -> Command {
    let path = match settings.binaries() {
        Some(folder) => folder.join(binary),
        None => binaries::path_of(binary),
    };
    let mut command = Command::new(path);
    command.env_clear().current_dir(dir).envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("HOME", dir).envs(settings.of(program)).stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Service {
    pub(super) fn start(
        name: &str,
        program: Program,
        settings: &Settings,
        own: &[(&str, &str)],
        dir: &Path,
    ) -> Self {
        // What an earlier service of this name has said is not its own.
        let _none = fs::remove_file(log_dir(dir).join(format!("{name}.log")));
        Self::spawn(name, program, settings, own, dir)
    }

    fn spawn(
        name: &str,
        program: Program,
        settings: &Settings,
        own: &[(&str, &str)],
        dir: &Path,
    ) -> Self {
        fs::create_dir_all(log_dir(dir)).expect("a folder can be made");
        let log = log_dir(dir).join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let file: File = file.expect("a log can be written");
        let output = file.try_clone().expect("a file can be opened twice");
        let mut command = command(program.name(), settings, Some(program), dir);
        command
            .env("ORCH_WORKSPACE_DIR", dir.join(format!("{name}-workspaces")))
            .envs(own.iter().copied());
        let child = command.stdout(output).stderr(file).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { name: name.to_owned(), program, own: own.collect(), child, log, url: None }
    }

    /// How it ended, if it has.
    pub(super) fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be waited for")
    }

    /// The same again, where this one has ended, with the same log; it is not waited for.
    pub(super) fn again(&self, settings: &Settings, dir: &Path) -> Self {
        let own: Vec<_> = self.own.iter().map(|(name, value)| (&**name, &**value)).collect();
        let again = Self::spawn(&self.name, self.program, settings, &own, dir);
        Self { url: self.url.clone(), ..again }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|it| Pid::from_raw(i32::try_from(it).ok()?));
        if let Some(pid) = pid {
            // It may have ended by itself, which its status will say.
            let _gone = kill_process(pid, signal);
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.url.as_deref().expect("a service is ready before it is given to a test")
    }

    /// Its metrics, as it tells them now.
    pub async fn metrics(&self) -> crate::metrics::Metrics {
        crate::metrics::Metrics::of(self.url()).await
    }

    /// Waits until it listens and says that it is ready.
    pub(super) async fn until_ready(&mut self) {
        let name = self.name.clone();
        let log = self.log.clone();
        let child = &mut self.child;
        let what = format!("{name} listens");
        let url = until(&what, START, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{name} ended while it started ({status}):\n{text}");
            }
            std::future::ready(address_in(&text).map(|address| format!("http://{address}")))
        })
        .await;
        let http = crate::api::client();
        let ready = format!("{url}/ready");
        until(&format!("{name} is ready"), START, || {
            let asking = http.get(&ready).send();
            async move { asking.await.ok().filter(|it| it.status() == 200).map(drop) }
        })
        .await;
        self.url = Some(url);
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) async fn terminate(mut self) -> Exit {
        let began = Instant::now();
        self.signal(Signal::TERM);
        let status = self.ended().await;
        Exit { name: self.name.clone(), code: status.code(), took: began.elapsed() }
    }

    /// Sends SIGKILL and waits for the end.
    pub(super) async fn kill(mut self) {
        self.child.start_kill().expect("a child of ours can be killed");
        self.ended().await;
    }

    async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(END, self.child.wait()).await {
            Ok(status) => status.expect("a child of ours can be waited for"),
            Err(_elapsed) => panic!("{} did not end within {END:?}", self.name),
        }
    }
}

/// The address that a service says that it listens on.
fn address_in(log: &str) -> Option<String> {
    log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["message"] == "listening")
            .then(|| line["http.address"].as_str().map(str::to_owned))?
    })
}
