//! `orch doctor`

use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;
use tokio::process::Command;

use crate::{
    program::{call, orch},
    server::{Server, data_dir},
};

fn doctor(home: &Path, variables: &[(&str, &str)]) -> Command {
    let mut program = orch(home);
    program.env("ORCH_PORT", free_port().to_string()).env("ORCH_AGENT_EXECUTOR", "stub");
    program.env("ORCH_DOCTOR_TIMEOUT_MS", "2000").envs(variables.iter().copied());
    program
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Name and status of each check.
fn statuses(report: &Value) -> Vec<(String, String)> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(&it["name"]), text(&it["status"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_on_which_everything_works_is_told_so() {
    let home = tempdir().unwrap();
    let report =
        call(doctor(home.path(), &[("GITHUB_WEBHOOK_SECRET", "hush")]), ["doctor", "--json"])
            .await
            .assert(0)
            .json();
    assert_eq!(report["ok"], true);
    let names: Vec<_> =
        statuses(&report).into_iter().map(|(name, status)| format!("{name} {status}")).collect();
    let expected = [
        "settings ok",
        "store ok",
        "queue ok",
        "model server ok",
        "git ok",
        "workspaces ok",
        "port ok",
        "webhook secret ok",
    ];
    assert_eq!(names, expected);
    assert!(!home.path().join(".local").exists(), "it changes nothing");

    let words = call(doctor(home.path(), &[]), ["doctor"]).await.assert(0).stdout;
    assert!(words.contains("✓ git             git version"), "{words}");
    assert!(words.contains("! webhook secret  GITHUB_WEBHOOK_SECRET is not set"), "{words}");
    assert!(words.ends_with("All that is needed works; 1 to look at.\n"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_broken_is_told_at_once_with_what_to_do() {
    let home = tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = file.join("workspaces");
    let variables = [
        ("ORCH_PORT", port.as_str()),
        ("ORCH_WORKER_CONCURRENCY", "lots"),
        ("ORCH_MAX_STREAMS", "lots"),
        ("ORCH_WORKER_CONCURRENCIES", "7"),
        ("ORCH_AGENT_EXECUTOR", "local"),
        ("LOCAL_LLM_URL", "http://127.0.0.1:1"),
        ("ORCH_TASK_STORE", "postgres"),
        ("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/none"),
        ("TASK_QUEUE", "rabbitmq"),
        ("AMQP_URL", "amqp://me:hunter2@127.0.0.1:1/%2f"),
        ("ORCH_WORKSPACE_DIR", below_a_file.to_str().unwrap()),
        ("PATH", "/nonexistent"),
    ];
    let ended = call(doctor(home.path(), &variables), ["doctor", "--json"]).await.assert(1);
    assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
    let report = ended.json();
    assert_eq!(report["ok"], false);
    let statuses: Vec<_> =
        statuses(&report).into_iter().map(|(name, status)| format!("{name} {status}")).collect();
    let expected = [
        "settings broken",
        "settings broken",
        "settings warning",
        "store broken",
        "queue broken",
        "model policy ok",
        "model server broken",
        "git broken",
        "workspaces broken",
        "port broken",
        "webhook secret warning",
    ];
    assert_eq!(statuses, expected, "{report:#}");
    assert_eq!(report["checks"][2]["advice"], "Did you mean ORCH_WORKER_CONCURRENCY?");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["advice"].is_string(), check["status"] != "ok", "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ours_at_the_port_is_as_good_as_a_free_one() {
    let server = Server::start().await;
    let port = server.url.rsplit(':').next().unwrap();
    let data = data_dir(server.home.path());
    let program = doctor(server.home.path(), &[("ORCH_PORT", port), ("ORCH_DATA_DIR", &data)]);
    let report = call(program, ["doctor", "--json"]).await.assert(0).json();
    let detail = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|it| it["name"] == name).unwrap()["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(detail("port"), format!("an orchestrator answers at 127.0.0.1:{port}"));
    assert!(detail("store").ends_with("is in use by the server that runs"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_server_that_nobody_insists_on_may_be_away() {
    let home = tempdir().unwrap();
    let mut program = doctor(home.path(), &[("LOCAL_LLM_URL", "http://127.0.0.1:1")]);
    program.env_remove("ORCH_AGENT_EXECUTOR");
    let report = call(program, ["doctor", "--json"]).await.assert(0).json();
    assert!(
        statuses(&report).contains(&("model server".to_owned(), "warning".to_owned())),
        "{report:#}"
    );
}
