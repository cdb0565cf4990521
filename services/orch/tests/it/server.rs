//! All services in the test's own process, as `orch dev` starts them.

use std::{fs::File, path::Path};

use clap::Parser;
use orch::dev::{Dev, DevArgs};
use serde_json::Value;
use telemetry::TelemetryArgs;
use tempfile::TempDir;
use testkit::eventually;
use tokio::{process::Command, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use worker::Shutdown;

use crate::program::{Ended, call, orch};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    dev: DevArgs,
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) home: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// On a new store.
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[]).await
    }

    /// On the store that is in `home`, with more arguments.
    pub(crate) async fn start_in(home: TempDir, more: &[&str]) -> Self {
        Self::start_at("0", home, more).await
    }

    /// At a certain port.
    pub(crate) async fn start_at(port: &str, home: TempDir, more: &[&str]) -> Self {
        let (data, workspaces) = (data_dir(home.path()), home.path().join("workspaces"));
        let usual = [
            "orch",
            "--port",
            port,
            "--agent-executor",
            "stub",
            "--data-dir",
            &data,
            "--workspace-dir",
            workspaces.to_str().unwrap(),
            "--worker-backoff-ms",
            "10",
            "--shutdown-grace-ms",
            "500",
            "--stream-poll-interval-ms",
            "20",
            "--announce-drain-ms",
            "200",
        ];
        let settings = Program::parse_from([&usual[..], more].concat()).dev.check().unwrap();
        let telemetry = TelemetryArgs { log: "error".to_owned(), ..TelemetryArgs::default() };
        let telemetry = telemetry::init(&telemetry, "orch").unwrap();
        let shutdown = Shutdown::from(CancellationToken::new());
        let stop = shutdown.stop.clone();
        let dev = Dev::start(settings, telemetry, shutdown).await.unwrap();
        let url = dev.announcement().url.clone();
        let serving = tokio::spawn(dev.serve());
        Self { url, home, stop, serving }
    }

    /// The program, which talks to this server.
    pub(crate) fn program(&self) -> Command {
        let mut program = orch(self.home.path());
        program.env("ORCH_SERVER", &self.url);
        program
    }

    pub(crate) async fn call(&self, arguments: &[&str]) -> Ended {
        call(self.program(), arguments).await
    }

    /// Calls for JSON, and expects that all goes well.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        self.call(&[arguments, &["--json"]].concat()).await.assert(0).json()
    }

    /// Creates a task that does what `payload` tells the stub, and gives back its id and its run's.
    pub(crate) async fn create(&self, payload: &str) -> (String, String) {
        let task = self
            .json(&["tasks", "create", "Do it", "--role", "tester", "--payload", payload])
            .await;
        (task["id"].as_str().unwrap().to_owned(), task["runId"].as_str().unwrap().to_owned())
    }

    /// Ends it and gives back its home, once the store is nobody's any more. A process that ends lets go of it at once; in
    /// this one the threads that answered HTTP still have it for a moment.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        let lock = Path::new(&data_dir(self.home.path())).join("orchestrator.lock");
        eventually("the store is free", || async {
            let file = File::open(&lock).unwrap();
            file.try_lock().ok()
        })
        .await;
        self.home
    }
}

/// Where the store of a home is.
pub(crate) fn data_dir(home: &Path) -> String {
    home.join("data").to_str().unwrap().to_owned()
}
