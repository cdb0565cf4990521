//! One of our programs as a process.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::signal_all;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);
/// How long an end may take; more than any grace period that tests set.
const END: Duration = Duration::from_secs(60);
/// Between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(5);

/// A running program. It is killed when this is dropped.
pub struct Service {
    name: String,
    child: Child,
    pid: u32,
    log: PathBuf,
    address: Option<String>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// None if a signal ended it.
    pub code: Option<i32>,
    /// From the signal to the end.
    pub took: Duration,
}

impl Service {
    /// Starts a program with this environment, and nothing of the caller's own but `PATH`. It works in `dir`, which is its
    /// `HOME`, too; its log is `<dir>/<name>.log`, to which a program started again under the same name adds.
    ///
    /// # Errors
    /// If it cannot be started, or its log not be written.
    pub fn start(
        binary: &Path,
        name: &str,
        env: Vec<(String, String)>,
        dir: &Path,
    ) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let log = dir.join(format!("{name}.log"));
        // What is there was written by one before: only what comes now counts.
        if log.exists() {
            let before = fs::read(&log)?;
            let mut all = File::options().create(true).append(true).open(older(&log))?;
            std::io::Write::write_all(&mut all, &before)?;
        }
        let file = File::create(&log)?;
        let mut command = Command::new(binary);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", dir).envs(env).current_dir(dir).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command
            .spawn()
            .with_context(|| format!("{name} ({}) cannot be started", binary.display()))?;
        let pid = child.id().context("it has just been started")?;
        Ok(Self { name: name.to_owned(), child, pid, log, address: None })
    }

    /// Waits until it listens and says that it is ready.
    ///
    /// # Errors
    /// If it ends instead, or is not ready within a minute; with what it logged.
    pub async fn until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended while it started ({status}):\n{}", self.name, self.last_words());
            }
            if self.address.is_none() {
                let text = fs::read_to_string(&self.log).unwrap_or_default();
                self.address = address_in(&text);
            }
            if let Some(address) = &self.address
                && says_ready(address).await
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("{} is not ready after {START:?}:\n{}", self.name, self.last_words())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `http://127.0.0.1:<port>`.
    ///
    /// # Panics
    /// Before it has been waited for until it was ready.
    pub fn url(&self) -> String {
        let address = self.address.as_deref().expect("a service is asked only when it was ready");
        format!("http://{address}")
    }

    /// Its process, which may have ended.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended by itself, or by a signal.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Where it logs to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Stops it where it is (SIGSTOP).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.ended().await?;
        Ok(())
    }

    /// Asks it to end (SIGTERM), and waits for that.
    ///
    /// # Errors
    /// If it has not ended after a minute.
    pub async fn terminate(mut self) -> Result<Exit> {
        let began = Instant::now();
        self.signal(Signal::TERM);
        let status = self.ended().await?;
        Ok(Exit { code: status.code(), took: began.elapsed() })
    }

    fn signal(&self, signal: Signal) {
        // Not the pid of one that has been waited for: it may be another's by now.
        if let Some(pid) = self.child.id() {
            signal_all(&[pid], signal);
        }
    }

    async fn ended(&mut self) -> Result<ExitStatus> {
        let ended = tokio::time::timeout(END, self.child.wait()).await;
        let late = || format!("{} did not end within {END:?}", self.name);
        ended.with_context(late)?.context("a child of ours can be waited for")
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Where the log of those before is kept.
fn older(log: &Path) -> PathBuf {
    log.with_extension("older.log")
}

/// The address that a service says that it listens on.
fn address_in(log: &str) -> Option<String> {
    log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["message"] == "listening")
            .then(|| line["http.address"].as_str().map(str::to_owned))?
    })
}

/// Whether `/ready` answers with 200.
async fn says_ready(address: &str) -> bool {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status == *b"HTTP/1.1 200")
    };
    matches!(tokio::time::timeout(Duration::from_secs(5), asking).await, Ok(Ok(true)))
}
