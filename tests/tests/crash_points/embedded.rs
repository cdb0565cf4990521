//! The same on SQLite: `orch dev`, all services in one process, crashed at both sides of every commit of the store.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use e2e::{
    git_http::{GitServer, Rights},
    model_server::ModelServer,
    stack::faulty_programs,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    agents::{self, MODEL},
    caller::Caller,
    checker::ONCE,
    late, plan,
    workload::{WEBHOOK_SECRET, Work},
};

const GIT_TOKEN: &str = "a token of the campaign";
/// Points of one round: one process reaches them all, one crash after the other.
const AT_ONCE: usize = 8;
/// Loops of the scheduler that shall look often.
const LOOPS: [&str; 7] = ["SWEEP", "REMIND", "PROMOTE", "RESCUE", "TIMEOUTS", "PERIODIC", "CLEAN"];
const LOOK: Duration = Duration::from_millis(20);
const ROUND: Duration = Duration::from_secs(90);

/// `orch dev`, started again whenever it dies.
struct Embedded {
    child: Child,
    dir: TempDir,
    variables: Vec<(String, String)>,
    crashes: usize,
}

impl Embedded {
    fn start(variables: Vec<(String, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = spawn(dir.path(), &variables);
        Self { child, dir, variables, crashes: 0 }
    }

    /// Starts it again if it has died since the last look.
    fn look(&mut self) {
        let Some(status) = self.child.try_wait().unwrap() else { return };
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(30).collect();
        assert_eq!(status.signal(), Some(6), "orch dev ended by itself: {status}: {end:#?}");
        self.crashes += 1;
        self.child = spawn(self.dir.path(), &self.variables);
    }

    fn orders(&self) -> PathBuf {
        self.dir.path().join("orders")
    }

    fn orders_left(&self) -> String {
        fs::read_to_string(self.orders()).unwrap_or_default()
    }
}

fn spawn(dir: &Path, variables: &[(String, String)]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
    let mut command = Command::new(faulty_programs().join("orch"));
    command
        .arg("dev")
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", dir)
        .env("ORCH_DATA_DIR", dir.join("data"))
        .env("ORCH_WORKSPACE_DIR", dir.join("workspaces"))
        .env("ORCH_FAULT_ORDERS", dir.join("orders"))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true);
    command.spawn().unwrap()
}

fn variables(git: &GitServer, model: &ModelServer, port: u16) -> Vec<(String, String)> {
    let (port, model, git) = (port.to_string(), model.url(), git.authority());
    let fixed = [
        ("ORCH_PORT", port.as_str()),
        ("ORCH_LOG", "info"),
        ("ORCH_SHUTDOWN_GRACE_MS", "800"),
        ("ORCH_WORKER_LEASE_MS", "1000"),
        ("ORCH_WORKER_BACKOFF_MS", "100"),
        ("ORCH_WORKER_MAX_RETRIES", "60"),
        ("ORCH_WORKER_POLL_INTERVAL_MS", "300"),
        ("ORCH_SCHEDULE_INTERVAL_MS", "86400000"),
        ("ORCH_SCHEDULE_ROLES", "tester"),
        ("ORCH_SCHEDULER_LEFT_BEHIND_MS", "500"),
        ("ORCH_SCHEDULER_UNCLAIMED_MS", "1000"),
        ("ORCH_WEBHOOK_REDELIVERY_MS", "100"),
        ("GITHUB_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("LOCAL_LLM_API", "openai"),
        ("LOCAL_LLM_MODEL", MODEL),
        ("LOCAL_LLM_ERROR_MODE", "throw"),
        ("LOCAL_LLM_URL", model.as_str()),
        ("ORCH_GIT_TOKEN", GIT_TOKEN),
        ("ORCH_GIT_TOKEN_HOSTS", git.as_str()),
        ("ORCH_GITHUB_CLONE_HOSTS", git.as_str()),
    ];
    let often = LOOPS.map(|name| (format!("ORCH_SCHEDULER_{name}_MS"), "100".to_owned()));
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    fixed.into_iter().chain(often).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_in_the_embedded_store_by_a_crash_at_any_commit() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let (git, clone_url) = repository();
    let model = agents::start();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let mut embedded = Embedded::start(variables(&git, &model, port));
    let url = format!("http://127.0.0.1:{port}");
    let caller = Caller::new(&url, "nobody asks for a key");
    let own = plan::points().into_iter().filter(|(name, programs)| {
        name.starts_with("store.") && !programs.iter().any(|it| it == "orch" || it == "nobody")
            // Requests without keys touch none, and the queue in memory loses no message.
            && !name.contains("touch_api_keys") && !name.contains("announce_again")
    });
    let points: Vec<String> = own.map(|(name, _)| name).collect();
    for (number, orders) in points.chunks(AT_ONCE).enumerate() {
        let began = Instant::now();
        late::make_schedule(&caller, &late::schedule(number), 1_000).await;
        fs::write(embedded.orders(), orders.join("\n") + "\n").unwrap();
        let work = Work {
            caller: caller.clone(),
            webhook_url: format!("{url}/webhooks/github"),
            clone_url: clone_url.clone(),
            round: number,
            again: 0,
            redeliver: orders.iter().any(|it| it.contains("redelivery")),
        };
        let played = tokio::time::timeout(ROUND, play(&mut embedded, &caller, work, orders)).await;
        let left = embedded.orders_left();
        let live = live_tasks(&caller).await;
        assert!(
            played.is_ok(),
            "round {number} {orders:?}: not reached: {left:?}; live: {live:#?}"
        );
        let violations = violations(&caller).await;
        assert!(violations.is_empty(), "round {number} {orders:?}:\n  {}", violations.join("\n  "));
        eprintln!("round {number}: {orders:?} in {:?}", began.elapsed());
    }
    assert_eq!(embedded.crashes, points.len(), "a crash for each point");
}

/// Keeps it alive until the work is done, every order carried out, and nothing live is left.
async fn play(embedded: &mut Embedded, caller: &Caller, mut work: Work, orders: &[String]) {
    let wanted = embedded.crashes + orders.len();
    let mut working = tokio::spawn(work.clone().run(None));
    let mut worked = false;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            done = &mut working, if !worked => {
                done.unwrap();
                worked = true;
            }
        }
        embedded.look();
        if worked && !embedded.orders_left().is_empty() {
            work.again += 1;
            working = tokio::spawn(work.clone().run(None));
            worked = false;
        }
        if worked && embedded.crashes == wanted && live_tasks(caller).await.is_empty() {
            return;
        }
    }
}

fn repository() -> (GitServer, String) {
    let git = GitServer::start().unwrap();
    git.grant(GIT_TOKEN, Rights::ReadWrite);
    let files = [("README.md", "# Greeter\n"), ("src/greet.txt", "Hello\n")];
    let clone_url = git.new_repository("acme/greeter", &files).unwrap();
    (git, clone_url)
}

/// Tasks that are not at their end, as a client sees them.
async fn live_tasks(caller: &Caller) -> Vec<Value> {
    let mut live = Vec::new();
    for status in ["pending", "queued", "running", "retrying", "waiting"] {
        live.extend(caller.all(&format!("/tasks?status={status}")).await);
    }
    live
}

/// What was asked for once is there once, and completes once.
async fn violations(caller: &Caller) -> Vec<String> {
    let tasks = caller.all("/tasks?status=completed").await;
    let mut violations = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for task in &tasks {
        let description = task["description"].as_str().unwrap();
        if description.starts_with(ONCE) {
            *counts.entry(description.to_owned()).or_default() += 1;
        }
        let id = task["id"].as_str().unwrap();
        let history = caller.all(&format!("/tasks/{id}/history")).await;
        let completed = history.iter().filter(|it| it["kind"] == "task.completed").count();
        if completed != 1 {
            violations.push(format!("{id} was completed {completed} times"));
        }
    }
    let twice = counts.into_iter().filter(|(_, count)| *count > 1);
    violations.extend(twice.map(|(task, count)| format!("{task} is there {count} times")));
    violations
}
