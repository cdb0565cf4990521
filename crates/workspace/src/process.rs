//! Runs git, within limits.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;

use crate::{Error, settings};

/// What of git's complaints is kept.
const COMPLAINT_BYTES: usize = 4_096;
/// Output of calls that answer with a few lines.
const ANSWER_BYTES: usize = 1024 * 1024;

/// How to call git: where it is, for how long, and until who says stop.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    /// Directories in which git and its own programs are looked for.
    pub(crate) search_path: OsString,
    /// Git's home and working directory: one that holds nothing.
    pub(crate) home: PathBuf,
    pub(crate) time_limit: Duration,
    pub(crate) cancel: CancellationToken,
}

impl Git {
    /// A call that works on the git directory `git_dir`. `doing` completes "git could not …".
    pub(crate) fn call(&self, doing: &'static str, git_dir: &Path) -> Call<'_> {
        let mut environment = settings::environment(&self.search_path, &self.home);
        environment.push(("GIT_DIR", git_dir.into()));
        Call {
            git: self,
            doing,
            arguments: Vec::new(),
            environment,
            secret: None,
            input: Input::Nothing,
            max_output: ANSWER_BYTES,
        }
    }
}

/// One call of git, still to be made.
pub(crate) struct Call<'a> {
    git: &'a Git,
    doing: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    secret: Option<(String, SecretString)>,
    input: Input,
    max_output: usize,
}

/// What git reads from its standard input.
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

/// What came of a call.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    /// Whether there was more than the call asked for.
    pub(crate) cut: bool,
    pub(crate) complaint: String,
}

impl Call<'_> {
    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// A piece of configuration that is a secret: it travels by the environment and is struck out of complaints.
    pub(crate) fn secret_config(mut self, pair: Option<(String, SecretString)>) -> Self {
        self.secret = pair;
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    pub(crate) fn input_file(mut self, file: File) -> Self {
        self.input = Input::File(file);
        self
    }

    pub(crate) fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }

    /// Makes the call and gives what it printed, as a line.
    pub(crate) async fn line(self) -> Result<String, Error> {
        let output = self.succeed().await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Makes the call; a failure that git reports is [`Error::Git`], more output than asked for [`Error::TooLarge`].
    pub(crate) async fn succeed(self) -> Result<Output, Error> {
        let (doing, limit) = (self.doing, self.max_output);
        let output = self.run().await?;
        if output.cut {
            return Err(Error::TooLarge {
                what: format!("what git says to {doing}"),
                limit: limit as u64,
            });
        }
        if !output.status.success() {
            return Err(Error::Git { doing, detail: output.complaint });
        }
        Ok(output)
    }

    /// Makes the call. Its whole process group ends with it: at the time limit, when cancelled, when the future is dropped.
    pub(crate) async fn run(mut self) -> Result<Output, Error> {
        let doing = self.doing;
        let (stdin, bytes) = match std::mem::replace(&mut self.input, Input::Nothing) {
            Input::Nothing => (Stdio::null(), Vec::new()),
            Input::Bytes(bytes) => (Stdio::piped(), bytes),
            Input::File(file) => (Stdio::from(file), Vec::new()),
        };
        let mut child = self.command().stdin(stdin).spawn().map_err(Error::io("start git"))?;
        let mut group = ProcessGroup::of(&child);
        let talk =
            tokio::time::timeout(self.git.time_limit, converse(&mut child, bytes, self.max_output));
        let talked = tokio::select! {
            () = self.git.cancel.cancelled() => Err(Error::Cancelled { doing }),
            talked = talk => match talked {
                Ok(talked) => talked.map_err(Error::io("talk to git")),
                Err(_elapsed) => Err(Error::TimedOut { doing, seconds: self.git.time_limit.as_secs() }),
            },
        };
        let ended = match &talked {
            Ok(Talked { status, .. }) => *status,
            Err(_) => None,
        };
        let status = match ended {
            Some(status) => {
                group.ended();
                status
            }
            None => {
                group.kill();
                child.wait().await.map_err(Error::io("wait for git"))?
            }
        };
        let talked = talked?;
        let complaint = self.scrub(&talked.stderr);
        Ok(Output { status, stdout: talked.stdout, cut: ended.is_none(), complaint })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.git.home)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let secret = self.secret.iter().map(|(key, value)| (key.as_str(), value.expose_secret()));
        let mut count = 0;
        for (key, value) in settings::CONFIG.iter().copied().chain(secret) {
            command
                .env(format!("GIT_CONFIG_KEY_{count}"), key)
                .env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }

    /// Git's complaint in one bounded line, without control characters and without the secret.
    fn scrub(&self, stderr: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(stderr).into_owned();
        if let Some((_key, value)) = &self.secret {
            for word in value.expose_secret().split_whitespace().filter(|word| word.len() > 5) {
                text = text.replace(word, "…");
            }
        }
        let lines: Vec<&str> =
            text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join("; ").chars().filter(|it| !it.is_control()).take(1_000).collect()
    }
}

/// What was said until the child closed its output, or had said too much.
struct Talked {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// How it ended; none if it said more than it was asked to, and goes on.
    status: Option<ExitStatus>,
}

/// Why a talk with a child is broken off.
enum Stop {
    TooMuch,
    Broken(io::Error),
}

/// Feeds and reads a child until it ends, or has said more than `max_output` bytes.
async fn converse(child: &mut Child, input: Vec<u8>, max_output: usize) -> io::Result<Talked> {
    let stdin = child.stdin.take();
    let mut out = child.stdout.take().expect("stdout is piped, and taken once");
    let mut err = child.stderr.take().expect("stderr is piped, and taken once");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A child that has heard enough closes its end; what it made of it, its status says.
            let _closed_early = stdin.write_all(&input).await;
        }
        Ok(())
    };
    let answer = async {
        let limit = u64::try_from(max_output).unwrap_or(u64::MAX).saturating_add(1);
        (&mut out).take(limit).read_to_end(&mut stdout).await.map_err(Stop::Broken)?;
        if stdout.len() > max_output { Err(Stop::TooMuch) } else { Ok(()) }
    };
    let complain =
        async { keep_head(&mut err, &mut stderr, COMPLAINT_BYTES).await.map_err(Stop::Broken) };
    // Too much output ends the talk at once: the child may be stuck on its full pipe, and the others with it.
    let status = match tokio::try_join!(feed, answer, complain) {
        Ok(((), (), ())) => Some(child.wait().await?),
        Err(Stop::TooMuch) => None,
        Err(Stop::Broken(error)) => return Err(error),
    };
    stdout.truncate(max_output);
    Ok(Talked { stdout, stderr, status })
}

/// Reads everything and keeps the beginning.
async fn keep_head(
    from: &mut (impl AsyncRead + Unpin),
    into: &mut Vec<u8>,
    bytes: usize,
) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let room = bytes.saturating_sub(into.len()).min(read);
        into.extend_from_slice(&buffer[..room]);
    }
}

/// A child that leads its own process group, and everything that it started.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Must come before the child is waited for: later its number may be somebody else's.
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            // It fails only where the group is gone, which is what is wanted.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
    }

    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests;
