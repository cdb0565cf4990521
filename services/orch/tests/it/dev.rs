//! `orch dev` as a process: what it says, does, keeps, and how it ends.

use rustix::process::Signal;
use secrecy::ExposeSecret;
use tempfile::tempdir;
use testkit::TestStore;
use tokio::process::Command;

use crate::{
    process::{NOBODY, client, dev, start, stopped},
    program::{Running, call, orch},
    repository::{git, make},
};

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
