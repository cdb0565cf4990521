//! A PostgreSQL server of one's own.

mod install;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::{Child, Command};

use crate::{descendants, folder::Folder, free_address, signal_all};
use install::Installation;

/// How long it may take to open, recovery from a crash included.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END: Duration = Duration::from_secs(30);

/// Settings that callers may override: room for many clients, and everything on one loopback port.
const DEFAULTS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
];

/// A server with a cluster of its own, which holds the empty database `test`. It ends when this is dropped, and its data goes.
pub struct Postgres {
    installed: Installation,
    address: SocketAddr,
    options: Vec<(String, String)>,
    data: PathBuf,
    server: Option<Child>,
    folder: Option<Folder>,
}

impl Postgres {
    /// Makes a cluster on the disk, and starts a server on a free port of loopback. `options` are settings of PostgreSQL;
    /// without any, it syncs every commit. When we are root, it runs as the user `postgres`.
    ///
    /// # Errors
    /// If PostgreSQL is not installed, or does not start; with what it logged.
    pub async fn start(options: &[(&str, &str)]) -> Result<Self> {
        let folder = Folder::create("postgres")?;
        let path = folder.path().to_owned();
        Self::start_within(&path, Some(folder), options).await
    }

    /// The same in a folder of the caller's, such as the root of a small file system. The folder stays when this is dropped.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_on(dir: &Path, options: &[(&str, &str)]) -> Result<Self> {
        Self::start_within(dir, None, options).await
    }

    async fn start_within(
        dir: &Path,
        folder: Option<Folder>,
        options: &[(&str, &str)],
    ) -> Result<Self> {
        let installed = Installation::find()?;
        let data = dir.join("data");
        installed.make_cluster(dir, &data).await?;
        let all = DEFAULTS.iter().chain(options);
        let options = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let address = free_address().await?;
        let mut made = Self { installed, address, options, data, server: None, folder };
        made.start_again().await?;
        Ok(made)
    }

    /// Of the database `test`, as the superuser `postgres`.
    pub fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// The same by way of another address, such as that of a proxy.
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/test")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The server and all its processes as of now; empty while it is down.
    pub fn pids(&self) -> Vec<u32> {
        self.server.as_ref().and_then(Child::id).map(descendants).unwrap_or_default()
    }

    /// Ends it as a crash does: at once, nothing is written (SIGQUIT, `pg_ctl -m immediate`).
    ///
    /// # Errors
    /// If it does not end.
    pub async fn crash(&mut self) -> Result<()> {
        self.end(Signal::QUIT).await
    }

    /// Ends it in order: clients are disconnected, a checkpoint is written (SIGINT, `pg_ctl -m fast`).
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::INT).await
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        self.resume();
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let Some(pid) = server.id() else { return Ok(()) };
        signal_all(&[pid], signal);
        match tokio::time::timeout(END, server.wait()).await {
            Ok(status) => drop(status.context("a child of ours can be waited for")?),
            Err(_elapsed) => bail!("PostgreSQL did not end within {END:?}"),
        }
        Ok(())
    }

    /// Whether it has ended by itself, or is down.
    pub fn has_ended(&mut self) -> bool {
        self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)))
    }

    /// Starts it with the data that it had, at the same address, and waits until it takes connections.
    ///
    /// # Errors
    /// If it does not start; with what it logged.
    pub async fn start_again(&mut self) -> Result<()> {
        let log = self.data.with_file_name("postgres.log");
        let file = std::fs::File::options().create(true).append(true).open(&log)?;
        let mut command = self.installed.command("postgres");
        command.arg("-D").arg(&self.data).args(["-p", &self.address.port().to_string()]);
        for (name, value) in &self.options {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let server = command.spawn().context("PostgreSQL cannot be started")?;
        let server = self.server.insert(server);
        let began = std::time::Instant::now();
        loop {
            if let Some(status) = server.try_wait()? {
                bail!("PostgreSQL ended ({status}):\n{}", tail(&log));
            }
            if self.installed.answers(self.address).await {
                return Ok(());
            }
            if began.elapsed() > START {
                bail!("PostgreSQL does not answer after {START:?}:\n{}", tail(&log));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops every process of it where it is (SIGSTOP): connections stay open, and nothing answers.
    pub fn pause(&self) {
        // The first starts others, so it stops first, and those that it started a moment ago are found by the second look.
        signal_all(&self.pids(), Signal::STOP);
        signal_all(&self.pids(), Signal::STOP);
    }

    /// Lets every process of it go on (SIGCONT).
    pub fn resume(&self) {
        signal_all(&self.pids(), Signal::CONT);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take()
            && let Some(pid) = server.id()
        {
            self.installed.end_now(pid, &mut server);
        }
        drop(self.folder.take());
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

impl Installation {
    /// A program of it, as the user that it runs as.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin().join(program));
        command.env_clear().env("LC_ALL", "C.UTF-8").current_dir("/");
        if let Some((uid, gid)) = self.user() {
            command.uid(uid).gid(gid);
        }
        command
    }
}
