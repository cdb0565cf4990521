//! The program, called with an environment of its own.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// What it printed, where that is one JSON document and nothing else.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Each line that it printed, where all are JSON.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.stdout.lines().map(read).collect()
    }

    #[track_caller]
    pub(crate) fn assert(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// The program with no environment but what every process needs.
pub(crate) fn orch(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orch"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.env("ORCH_WORKSPACE_DIR", home.join("workspaces"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Calls the program and waits for its end.
pub(crate) async fn call<S: AsRef<OsStr>>(
    mut command: Command,
    arguments: impl IntoIterator<Item = S>,
) -> Ended {
    Ended::of(command.args(arguments).output().await.expect("the program starts"))
}

/// The program while it runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn start<S: AsRef<OsStr>>(
        mut command: Command,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self { child, stdout, stderr }
    }

    /// What it prints up to the line with `text`.
    pub(crate) async fn printed(&mut self, text: &str) -> String {
        let mut all = String::new();
        while let Some(line) = self.stdout.next_line().await.expect("it is UTF-8") {
            all.push_str(&line);
            all.push('\n');
            if line.contains(text) {
                return all;
            }
        }
        panic!("it ended without `{text}`: {all}{:?}", self.rest_of_stderr().await);
    }

    /// What it says beside up to the line with `text`.
    pub(crate) async fn said(&mut self, text: &str) {
        let mut all = String::new();
        while let Some(line) = self.stderr.next_line().await.expect("it is UTF-8") {
            all.push_str(&line);
            all.push('\n');
            if line.contains(text) {
                return;
            }
        }
        panic!("it ended without `{text}`: {all}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|it| i32::try_from(it).ok()).expect("it runs");
        kill_process(Pid::from_raw(id).expect("it is no zero"), signal)
            .expect("it can be signalled");
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        let mut stdout = String::new();
        while let Some(line) = self.stdout.next_line().await.expect("it is UTF-8") {
            stdout.push_str(&line);
            stdout.push('\n');
        }
        let stderr = self.rest_of_stderr().await;
        let status = self.child.wait().await.expect("it can be waited for");
        Ended { code: status.code().expect("it was not killed"), stdout, stderr }
    }

    async fn rest_of_stderr(&mut self) -> String {
        let mut rest = String::new();
        while let Some(line) = self.stderr.next_line().await.expect("it is UTF-8") {
            rest.push_str(&line);
            rest.push('\n');
        }
        rest
    }
}
