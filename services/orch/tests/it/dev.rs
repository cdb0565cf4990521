//! `orch dev` as a process.

use std::path::Path;

use rustix::process::Signal;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::tempdir;
use testkit::TestStore;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

use crate::{
    program::{Ended, Running, call, orch},
    repository::{git, make},
};

/// Nothing listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// `orch dev` on a free port, with no model server to be found.
fn dev(home: &Path) -> Command {
    let mut program = orch(home);
    program
        .env("ORCH_PORT", "0")
        .env("LOCAL_LLM_URL", NOBODY)
        .env("ORCH_SHUTDOWN_GRACE_MS", "1000");
    program
}

/// Starts it and gives back what it announces.
async fn start(program: Command) -> (Running, Value) {
    let mut running = Running::start(program, ["dev", "--json"]);
    let announced = running.printed("{").await;
    (running, serde_json::from_str(&announced).unwrap())
}

fn client(home: &Path, announced: &Value) -> Command {
    let mut program = orch(home);
    program.env("ORCH_SERVER", announced["url"].as_str().unwrap());
    program
}

async fn stopped(running: Running) -> Ended {
    running.signal(Signal::TERM);
    running.ended().await.assert(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_it_is_that_no_model_is_asked_and_what_to_type_next() {
    let home = tempdir().unwrap();
    let mut running = Running::start(dev(home.path()), ["dev"]);
    let words = running.printed("--repo .").await;
    let url =
        words.lines().find_map(|it| it.trim().strip_prefix("API ")).unwrap().trim().to_owned();
    let program = env!("CARGO_BIN_EXE_orch");
    for expected in [
        format!("API docs   {url}/docs"),
        format!("webhooks   {url}/webhooks/github (off: GITHUB_WEBHOOK_SECRET is not set)"),
        format!(
            "store      {}/.local/share/orchestrator/orchestrator.sqlite3",
            home.path().display()
        ),
        format!("the stub executor, because no model server answers at {NOBODY}"),
        "from this machine only, without a key".to_owned(),
        format!("{program} run --server {url} \"Write a haiku about queues\" --role architect"),
    ] {
        assert!(words.contains(&expected), "{expected}\n{words}");
    }

    // What it says to type does what it says.
    let typed = words.lines().find(|it| it.contains("haiku")).unwrap().trim();
    let shell = Command::new("sh")
        .arg("-c")
        .arg(typed)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8(shell.stdout).unwrap();
    assert!(
        shell.status.success() && printed.starts_with("Stub answer to: Write a haiku about queues"),
        "{printed}"
    );
    let ended = stopped(running).await;
    assert!(ended.stderr.contains("no longer listening"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_grows_a_task_in_flight_goes_back_and_all_is_there_after_a_restart() {
    let home = tempdir().unwrap();
    let path = home.path().join("queues");
    make(&path);
    let (running, announced) = start(dev(home.path())).await;
    let grown = call(
        client(home.path(), &announced),
        ["run", "Describe queues", "--repo", path.to_str().unwrap(), "--json"],
    );
    let grown = grown.await.assert(0).json_lines().pop().unwrap();
    let branch = grown["run"]["branch"].as_str().unwrap();
    assert_eq!(git(&path, &["rev-parse", branch]), grown["run"]["headCommit"].as_str().unwrap());

    let payload = r#"{"stub": {"sleepMs": 60000}}"#;
    let slow = call(
        client(home.path(), &announced),
        ["tasks", "create", "Sleep", "--role", "tester", "--payload", payload, "--json"],
    );
    let slow = slow.await.assert(0).json();
    let mut following = Running::start(
        client(home.path(), &announced),
        ["runs", "follow", slow["runId"].as_str().unwrap(), "--server-patience-seconds", "0"],
    );
    following.said("task of the tester started").await;
    stopped(running).await;
    following.ended().await.assert(4);

    let (running, announced) = start(dev(home.path())).await;
    let task = call(
        client(home.path(), &announced),
        ["tasks", "history", slow["id"].as_str().unwrap(), "--json"],
    )
    .await
    .assert(0)
    .json();
    let kinds: Vec<_> =
        task["items"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["task.created", "task.started", "task.handed_back"]);
    let runs =
        call(client(home.path(), &announced), ["runs", "list", "--json"]).await.assert(0).json();
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(2));
    stopped(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait_for_what_runs() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_SHUTDOWN_GRACE_MS", "600000").env("ORCH_LOG", "info");
    let (mut running, announced) = start(program).await;
    let payload = r#"{"stub": {"sleepMs": 600000}}"#;
    let arguments =
        ["tasks", "create", "Sleep", "--role", "tester", "--payload", payload, "--json"];
    let task = call(client(home.path(), &announced), arguments).await.assert(0).json();
    let mut following = Running::start(
        client(home.path(), &announced),
        ["runs", "follow", task["runId"].as_str().unwrap()],
    );
    following.said("task of the tester started").await;
    running.signal(Signal::TERM);
    running.said("Stopping: what runs may end").await;
    running.signal(Signal::INT);
    running.said("hands back 1 tasks").await;
    running.ended().await.assert(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_on_postgres_as_well() {
    let test = TestStore::postgres().await;
    let home = tempdir().unwrap();
    let on_postgres = |mut program: Command| {
        program.env("ORCH_TASK_STORE", "postgres").env("DATABASE_URL", test.url().expose_secret());
        program
    };
    let commands = |arguments: &'static [&str]| call(on_postgres(orch(home.path())), arguments);
    commands(&["migrate", "--revert-one"]).await.assert(0);
    commands(&["migrate", "--status"]).await.assert(1);
    let refused = commands(&["keys", "list"]).await.assert(1);
    assert!(refused.stderr.contains("run `orch migrate`"), "{refused:?}");
    let diagnosis = commands(&["doctor"]).await.assert(1);
    assert!(
        diagnosis.stdout.contains("✗ store") && diagnosis.stdout.contains("→ Run `orch migrate`."),
        "{diagnosis:?}"
    );

    let (running, announced) = start(on_postgres(dev(home.path()))).await;
    assert!(announced["store"].as_str().unwrap().starts_with("Postgres at "), "{announced}");
    call(client(home.path(), &announced), ["run", "Try"]).await.assert(0);
    commands(&["migrate", "--status"]).await.assert(0);
    commands(&["keys", "create", "--name", "me", "--scope", "admin"]).await.assert(0);
    stopped(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_was_asked_for_is_never_replaced() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_AGENT_EXECUTOR", "local");
    let (running, announced) = start(program).await;
    assert_eq!(
        (announced["executor"].as_str(), announced["queue"].as_str()),
        (Some("local"), Some("in this process"))
    );
    assert!(
        announced["advice"].as_str().unwrap().contains("until that changes, tasks fail"),
        "{announced}"
    );
    let failed = call(client(home.path(), &announced), ["run", "Try"]).await.assert(1);
    assert!(failed.stdout.contains("failed with model_unavailable"), "{failed:?}");
    stopped(running).await;
}

/// Something that gives every request the same answer.
async fn server_that_answers(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            drop(connection.read(&mut request).await);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            drop(connection.write_all(answer.as_bytes()).await);
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_server_that_answers_is_used_and_what_it_lacks_is_told() {
    let tags = r#"{"models": [{"name": "small:latest"}]}"#;
    for (status, body, models, executor, told) in [
        ("200 OK", tags, "small", "local", None),
        (
            "200 OK",
            tags,
            "large",
            "local",
            Some("The model server does not list large; it has small:latest."),
        ),
        ("401 Unauthorized", "{}", "small", "local", Some("401")),
        (
            "404 Not Found",
            "no such page",
            "small",
            "stub",
            Some("ORCH_AGENT_EXECUTOR=local insists on it."),
        ),
    ] {
        let home = tempdir().unwrap();
        let mut program = dev(home.path());
        let url = server_that_answers(status, body).await;
        program.env("LOCAL_LLM_URL", &url).env("LOCAL_LLM_MODEL", models);
        let (running, announced) = start(program).await;
        assert_eq!(announced["executor"], executor, "{announced}");
        let advice = announced["advice"].as_str();
        match told {
            None => assert_eq!(advice, None),
            Some(told) => assert!(advice.is_some_and(|it| it.contains(told)), "{announced}"),
        }
        stopped(running).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_and_scheduler_can_be_left_out() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_WORKER_ENABLED", "false").env("ORCH_SCHEDULER_ENABLED", "false");
    let (running, announced) = start(program).await;
    assert_eq!(
        (&announced["worker"], &announced["scheduler"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    let task = call(
        client(home.path(), &announced),
        ["tasks", "create", "Wait", "--role", "tester", "--json"],
    )
    .await
    .assert(0)
    .json();
    assert_eq!(task["status"], "queued");
    stopped(running).await;
}

async fn refused(variables: &[(&str, &str)], code: i32, said: &[&str]) {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.envs(variables.iter().copied());
    let ended = call(program, ["dev"]).await.assert(code);
    assert_eq!(ended.stdout, "");
    for text in said {
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_forbids_the_model_is_an_error_and_no_reason_for_a_stub() {
    refused(
        &[("LOCAL_LLM_URL", "https://models.example.com")],
        2,
        &["LOCAL_LLM_URL is \"https://models.example.com\""],
    )
    .await;
    refused(
        &[("ORCH_LLM_POLICY", "locked"), ("LOCAL_LLM_API", "openai")],
        2,
        &["LOCAL_LLM_API is \"openai\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_setting_is_told_in_one_message() {
    let wrong = [
        ("ORCH_PORT", "many"),
        ("TASK_QUEUE", "redis"),
        ("ORCH_TASK_STORE", "redis"),
        ("LOCAL_LLM_TEMPERATURE", "hot"),
        ("ORCH_WORKER_ROLES", "cook"),
        ("ORCH_SCHEDULE_ROLES", "cook"),
        ("GITHUB_WEBHOOK_SECRET", "a,,b"),
    ];
    let mut said: Vec<String> =
        wrong[..6].iter().map(|(name, _)| format!("  {name} is ")).collect();
    said.extend([
        "error: 7 settings are wrong:".to_owned(),
        "secret number 2 of GITHUB_WEBHOOK_SECRET".to_owned(),
    ]);
    refused(&wrong, 2, &said.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let open = [("ORCH_HOST", "0.0.0.0"), ("ORCH_AUTH", "off")];
    refused(&open, 2, &["ORCH_AUTH is `off`: "]).await;
    refused(&[("ORCH_TASK_STORE", "postgres")], 2, &["DATABASE_URL is not set"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(
        &[("ORCH_PORT", &port)],
        1,
        &[&format!("cannot listen on 127.0.0.1:{port}"), "ORCH_PORT"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listens_for_everybody_wants_a_key() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_HOST", "0.0.0.0");
    let (running, announced) = start(program).await;
    assert_eq!(announced["keyNeeded"], true);
    call(client(home.path(), &announced), ["agents"]).await.assert(2);
    stopped(running).await;
}
