//! A RabbitMQ node of one's own, to be killed.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use queue::QueueArgs;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::proxy::{listens, nobody};

/// Booting takes three to six seconds on an idle machine.
const BOOT_LIMIT: Duration = Duration::from_secs(60);

/// A node on ports of its own, with its data in a directory that goes with it. Ends when it is dropped.
pub(crate) struct Broker {
    directory: TempDir,
    node: String,
    /// Knows on which port nodes talk to each other; the tools need it. Own, so that nothing is shared with other nodes.
    _epmd: Child,
    epmd_port: u16,
    distribution_port: u16,
    address: SocketAddr,
    server: Child,
}

impl Broker {
    /// Starts a node and waits until its port is open.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (file, content) in
            [("plugins", "[]."), ("rabbitmq.conf", "loopback_users = none\n"), ("env.conf", "")]
        {
            std::fs::write(directory.path().join(file), content).unwrap();
        }
        let epmd_port = nobody().await.port();
        let epmd =
            Command::new("epmd").args(["-port", &epmd_port.to_string()]).kill_on_drop(true).spawn();
        let node = format!("queue-test-{}@localhost", std::process::id());
        let (distribution_port, address) = (nobody().await.port(), nobody().await);
        let server = serve(directory.path(), &node, epmd_port, distribution_port, address);
        let broker = Self {
            directory,
            node,
            _epmd: epmd.unwrap(),
            epmd_port,
            distribution_port,
            address,
            server,
        };
        listens(address, BOOT_LIMIT).await;
        broker
    }

    /// Kills it as a power cut would (SIGKILL).
    pub(crate) async fn kill(&mut self) {
        self.server.kill().await.unwrap();
    }

    /// Starts it again with the data that it had, and returns when its port is open.
    pub(crate) async fn restart(&mut self) {
        self.server = serve(
            self.directory.path(),
            &self.node,
            self.epmd_port,
            self.distribution_port,
            self.address,
        );
        listens(self.address, BOOT_LIMIT).await;
    }

    /// Runs `rabbitmqctl` on it.
    pub(crate) async fn control(&self, arguments: &[&str]) {
        let program = installed("rabbitmqctl");
        let mut command = Command::new(program);
        environment(&mut command, self.directory.path(), &self.node, self.epmd_port);
        let output = command.args(["--node", &self.node]).args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Makes a queue use this broker.
    pub(crate) fn used_by(&self, args: &mut QueueArgs) {
        args.amqp_url = format!("amqp://guest:guest@{}/%2f", self.address).into();
    }
}

fn serve(
    directory: &Path,
    node: &str,
    epmd_port: u16,
    distribution_port: u16,
    address: SocketAddr,
) -> Child {
    let mut command = Command::new(installed("rabbitmq-server"));
    environment(&mut command, directory, node, epmd_port);
    command
        .env("RABBITMQ_NODE_IP_ADDRESS", address.ip().to_string())
        .env("RABBITMQ_NODE_PORT", address.port().to_string())
        .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
        .env("RABBITMQ_MNESIA_BASE", directory.join("data"))
        .env("RABBITMQ_LOG_BASE", directory.join("log"))
        .env("RABBITMQ_PID_FILE", directory.join("pid"))
        .env("RABBITMQ_CONFIG_FILE", directory.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("plugins"))
        // Then the script becomes the server instead of starting it, and killing the child kills the server.
        .env("RUNNING_UNDER_SYSTEMD", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn environment(command: &mut Command, directory: &Path, node: &str, epmd_port: u16) {
    command
        // The cookie by which node and tools know each other is made in the home directory.
        .env("HOME", directory)
        .env("RABBITMQ_CONF_ENV_FILE", directory.join("env.conf"))
        .env("RABBITMQ_NODENAME", node)
        .env("ERL_EPMD_PORT", epmd_port.to_string());
}

/// Debian's programs on the path insist on the user `rabbitmq`; these are the ones behind them.
fn installed(program: &str) -> PathBuf {
    let behind = Path::new("/usr/lib/rabbitmq/bin").join(program);
    if behind.exists() { behind } else { program.into() }
}
