//! Mistakes: each ends with its exit code, a sentence, and what to do.

use std::path::Path;

use crate::program::{call, orch};

const NOBODY: &str = "http://127.0.0.1:1";

async fn check(variables: &[(&str, &str)], arguments: &[&str], code: i32, said: &[&str]) {
    let mut program = orch(Path::new("/nonexistent"));
    program.envs(variables.iter().copied());
    let ended = call(program, arguments).await.assert(code);
    assert_eq!(ended.stdout, "");
    for text in said {
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_has_a_code_of_its_own() {
    let advice = "Start one with `orch dev`, or say where it is with --server or ORCH_SERVER.";
    let cannot = "error: the server at http://127.0.0.1:1 cannot be reached: ";
    for arguments in [&["tasks", "list"][..], &["run", "x"], &["agents", "--json"]] {
        check(&[("ORCH_SERVER", NOBODY)], arguments, 4, &[cannot, advice]).await;
    }
    check(
        &[],
        &["runs", "follow", "00000000-0000-7000-8000-000000000000", "--server", NOBODY],
        4,
        &[cannot],
    )
    .await;
}

#[tokio::test]
async fn wrong_usage_is_told_before_anything_is_asked() {
    check(&[], &[], 2, &["Usage: orch"]).await;
    check(&[], &["tasks", "show", "7"], 2, &["invalid value '7' for '<TASK>'"]).await;
    check(&[], &["tasks", "list", "--role", "cook"], 2, &["architect, implementer"]).await;
    check(&[], &["run", "x", "--workflow", "grow"], 2, &["works on a repository", "--repo ."])
        .await;
    check(&[], &["run", "x", "--repo", "./nowhere"], 2, &["./nowhere cannot be used"]).await;
    check(
        &[],
        &["run", "x", "--repo", "/"],
        2,
        &["/ is no git repository", "`git init` makes one"],
    )
    .await;
    check(&[], &["run", "x", "--no-follow", "--cancel-on-interrupt"], 2, &["cannot be used with"])
        .await;
    check(&[], &["schedules", "create", "--name", "x"], 2, &["--every or --cron"]).await;
    check(
        &[],
        &["tasks", "create", "x", "--role", "tester", "--payload", "[]"],
        2,
        &["use a JSON object"],
    )
    .await;
    check(
        &[],
        &["agents", "--key-file", "/nonexistent/key"],
        2,
        &["/nonexistent/key cannot be read"],
    )
    .await;
}

#[tokio::test]
async fn wrong_variables_are_told_together_and_only_those_that_count() {
    let wrong = [
        ("ORCH_SERVER", "nowhere"),
        ("ORCH_SERVER_PATIENCE_SECONDS", "long"),
        ("ORCH_PORT", "many"),
    ];
    let said = [
        "error: 2 settings are wrong:",
        "ORCH_SERVER is `nowhere`: ",
        "ORCH_SERVER_PATIENCE_SECONDS is `long`: ",
    ];
    check(&wrong, &["runs", "list"], 2, &said).await;
    let said = [
        "error: a setting is wrong",
        "this system has `sqlite` (the embedded default) and `postgres`",
    ];
    check(&[("ORCH_TASK_STORE", "redis")], &["migrate"], 2, &said[1..]).await;
}
