//! A RabbitMQ node of one's own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tokio::process::{Child, Command};

use crate::{descendants, folder::Folder, free_address, signal_all, until_open};

/// Booting takes three to six seconds on an idle machine.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// A node on ports of its own, with its data in a folder that goes with it. Ends when it is dropped.
pub struct RabbitMq {
    node: Node,
    /// Knows on which port nodes talk to each other; the tools need it. Own, so that nothing is shared with other nodes.
    epmd: Child,
    server: Child,
    folder: Folder,
}

/// How the node and its tools are told apart from every other on the machine.
struct Node {
    name: String,
    epmd_port: u16,
    distribution_port: u16,
    address: SocketAddr,
}

impl RabbitMq {
    /// Starts a node and waits until its port is open.
    ///
    /// # Errors
    /// If RabbitMQ is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        let folder = Folder::create("rabbitmq")?;
        let directory = folder.path();
        for (file, content) in
            [("plugins", "[]."), ("rabbitmq.conf", "loopback_users = none\n"), ("env.conf", "")]
        {
            fs::write(directory.join(file), content)?;
        }
        let epmd_port = free_address().await?.port();
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &epmd_port.to_string()]).current_dir(directory);
        let epmd = epmd.stdin(Stdio::null()).kill_on_drop(true).spawn();
        let node = Node {
            name: format!("testbed-{}-{epmd_port}@localhost", std::process::id()),
            epmd_port,
            distribution_port: free_address().await?.port(),
            address: free_address().await?,
        };
        let server = node.serve(directory)?;
        let epmd = epmd.context("epmd cannot be started")?;
        let mut started = Self { node, epmd, server, folder };
        started.until_open().await?;
        Ok(started)
    }

    /// With the user `guest`, who may do everything.
    pub fn url(&self) -> String {
        self.url_at(self.node.address)
    }

    /// The same by way of another address, such as that of a proxy.
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("amqp://guest:guest@{address}/%2f")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.node.address
    }

    /// The node and all that it started, as of now; empty while it is down.
    pub fn pids(&self) -> Vec<u32> {
        self.server.id().map(descendants).unwrap_or_default()
    }

    /// Kills it as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> Result<()> {
        signal_all(&self.pids(), Signal::KILL);
        self.server.wait().await.context("a child of ours can be waited for")?;
        Ok(())
    }

    /// Starts it again with the data that it had, and returns when its port is open.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        self.server = self.node.serve(self.folder.path())?;
        self.until_open().await
    }

    /// Kills it, removes its data, with every queue and message, and starts it.
    ///
    /// # Errors
    /// If it does not end or start.
    pub async fn wipe(&mut self) -> Result<()> {
        self.kill().await?;
        fs::remove_dir_all(self.folder.path().join("data")).context("its data can be removed")?;
        self.start_again().await
    }

    /// Stops it where it is (SIGSTOP): connections stay open, and nothing answers.
    pub fn pause(&self) {
        signal_all(&self.pids(), Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        signal_all(&self.pids(), Signal::CONT);
    }

    /// Runs `rabbitmqctl` on it, and gives what it printed.
    ///
    /// # Errors
    /// If it fails; with what it said.
    pub async fn control(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(installed("rabbitmqctl"));
        self.node.environment(&mut command, self.folder.path());
        command.args(["--node", &self.node.name]).args(arguments).stdin(Stdio::null());
        let output = command.output().await.context("rabbitmqctl cannot be started")?;
        ensure!(output.status.success(), "rabbitmqctl {arguments:?}: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn until_open(&mut self) -> Result<()> {
        tokio::select! {
            opened = until_open(self.node.address, BOOT_LIMIT) => opened,
            ended = self.server.wait() => anyhow::bail!("RabbitMQ ended while it started: {ended:?}"),
        }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        signal_all(&self.pids(), Signal::KILL);
        let _ended = self.epmd.start_kill();
    }
}

impl Node {
    fn serve(&self, directory: &Path) -> Result<Child> {
        let mut command = Command::new(installed("rabbitmq-server"));
        self.environment(&mut command, directory);
        command
            .env("RABBITMQ_NODE_IP_ADDRESS", self.address.ip().to_string())
            .env("RABBITMQ_NODE_PORT", self.address.port().to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", directory.join("data"))
            .env("RABBITMQ_LOG_BASE", directory.join("log"))
            .env("RABBITMQ_PID_FILE", directory.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", directory.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("plugins"))
            // Then the script becomes the server instead of starting it, and killing the child kills the server.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("RabbitMQ cannot be started")
    }

    fn environment(&self, command: &mut Command, directory: &Path) {
        command
            // The cookie by which node and tools know each other is made in the home directory.
            .env("HOME", directory)
            .env("RABBITMQ_CONF_ENV_FILE", directory.join("env.conf"))
            .env("RABBITMQ_NODENAME", &self.name)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string());
    }
}

/// Debian's programs on the path insist on the user `rabbitmq`; these are the ones behind them.
fn installed(program: &str) -> PathBuf {
    let behind = Path::new("/usr/lib/rabbitmq/bin").join(program);
    if behind.exists() { behind } else { program.into() }
}
