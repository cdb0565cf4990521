//! `orch run` and `orch runs follow`, against a server that runs.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    program::Running,
    repository::{git, make},
    server::Server,
};

const SLEEP: &str = r#"{"stub": {"sleepMs": 60000}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_single_task_is_run_to_its_answer() {
    let server = Server::start().await;
    let ended =
        server.call(&["run", "Write a haiku about queues", "--role", "architect"]).await.assert(0);
    assert!(
        ended.stdout.starts_with("Stub answer to: Write a haiku about queues\n\nRun "),
        "{ended:?}"
    );
    assert!(ended.stdout.contains(" completed in "), "{ended:?}");
    assert!(ended.stderr.contains("task of the architect started"), "{ended:?}");
    assert!(ended.stderr.contains("task of the architect completed"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_a_repository_ends_with_a_commit_on_its_branch() {
    let server = Server::start().await;
    let path = server.home.path().join("queues");
    make(&path);
    std::fs::create_dir(path.join("src")).unwrap();
    let mut program = server.program();
    program.current_dir(path.join("src"));
    let ended =
        crate::program::call(program, ["run", "Describe queues", "--repo", "."]).await.assert(0);
    let branch = line_of(&ended.stdout, "branch");
    let commit = line_of(&ended.stdout, "commit");
    assert_eq!(git(&path, &["rev-parse", &branch]), commit, "{ended:?}");
    assert_eq!(git(&path, &["rev-list", "--count", &format!("main..{branch}")]), "1");
    assert_eq!(line_of(&ended.stdout, "decision"), "open_pr");
    for step in [
        "plan by the architect",
        "implement by the implementer",
        "review by the reviewer",
        "decide by the maintainer",
    ] {
        assert!(ended.stderr.contains(&format!("{step} completed")), "{step}: {ended:?}");
    }
}

fn line_of(text: &str, name: &str) -> String {
    let line = text.lines().find(|it| it.trim_start().starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}"))
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_read_a_line_for_each_event_and_one_for_the_result() {
    let server = Server::start().await;
    let ended = server.call(&["--json", "run", "Count"]).await.assert(0);
    let lines = ended.json_lines();
    let types: Vec<_> = lines.iter().map(|it| it["type"].as_str().unwrap()).collect();
    let (first, rest) = types.split_first().unwrap();
    let (last, events) = rest.split_last().unwrap();
    assert_eq!((*first, *last), ("started", "result"));
    assert!(events.len() >= 4 && events.iter().all(|it| *it == "event"), "{types:?}");
    let kinds: Vec<_> = lines.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert!(kinds.contains(&"task.started") && kinds.last() == Some(&"run.completed"), "{kinds:?}");
    let result = lines.last().unwrap();
    assert_eq!(result["exitCode"], 0);
    assert_eq!(result["run"]["id"], lines[0]["runId"]);
    assert_eq!(result["tasks"][0]["result"]["text"], "Stub answer to: Count");
    assert_eq!(ended.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_may_be_started_without_following_it() {
    let server = Server::start().await;
    let ended = server.call(&["run", "Later", "--no-follow"]).await.assert(0);
    let run = ended.stdout.trim();
    assert!(ended.stderr.contains(&format!("orch runs follow {run}")), "{ended:?}");
    let started = server.json(&["run", "Later", "--no-follow"]).await;
    assert_eq!(
        (&started["type"], &started["task"]["description"]),
        (&json!("started"), &json!("Later"))
    );
    server.call(&["runs", "follow", run]).await.assert(0);
}

/// Follows a run until its task has started.
async fn follow(server: &Server, run: &str, more: &[&str]) -> Running {
    let mut following = Running::start(server.program(), [&["runs", "follow", run], more].concat());
    following.said("task of the tester started").await;
    following
}

async fn status(server: &Server, run: &str) -> Value {
    server.json(&["runs", "show", run]).await["run"]["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_interrupted_leaves_the_run_going_and_is_told_how_to_come_back() {
    let server = Server::start().await;
    let (_, run) = server.create(SLEEP).await;
    let following = follow(&server, &run, &[]).await;
    following.signal(Signal::INT);
    let ended = following.ended().await.assert(130);
    assert!(ended.stderr.contains(&format!("`orch runs follow {run}`")), "{ended:?}");
    assert!(ended.stderr.contains(&format!("`orch runs cancel {run}`")), "{ended:?}");
    assert_eq!(status(&server, &run).await, "running");
    server.call(&["runs", "cancel", &run]).await.assert(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_it_cancels_the_run_by_an_interrupt() {
    let server = Server::start().await;
    let (_, run) = server.create(SLEEP).await;
    let following = follow(&server, &run, &["--cancel-on-interrupt"]).await;
    following.signal(Signal::INT);
    let ended = following.ended().await.assert(3);
    assert!(ended.stdout.contains(&format!("Run {run} cancelled")), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_somebody_cancels_ends_with_a_code_of_its_own() {
    let server = Server::start().await;
    let (_, run) = server.create(SLEEP).await;
    let following = follow(&server, &run, &[]).await;
    server.call(&["runs", "cancel", &run]).await.assert(0);
    following.ended().await.assert(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_is_waited_for_and_nothing_is_missed() {
    let server = Server::start().await;
    let (_, run) = server.create(SLEEP).await;
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let following = follow(&server, &run, &[]).await;
    let home = server.stop().await;
    let server = Server::start_at(&port, home, &[]).await;
    server.call(&["runs", "cancel", &run]).await.assert(0);
    let ended = following.ended().await.assert(3);
    assert_eq!(
        ended.stderr.matches("was given back by a worker that stops").count(),
        1,
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_with_a_server_that_stays_away_ends() {
    let server = Server::start().await;
    let (_, run) = server.create(SLEEP).await;
    let following = follow(&server, &run, &["--server-patience-seconds", "0"]).await;
    server.stop().await;
    let ended = following.ended().await.assert(4);
    assert!(
        ended.stderr.contains(&format!("follow it with `orch runs follow {run}`")),
        "{ended:?}"
    );
}
