//! The command line, crashed where it commits: what it did is whole or not there.

use std::os::unix::process::ExitStatusExt;

use e2e::stack::{Settings, Stack, faulty_programs};
use serde_json::Value;

use crate::plan;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_leaves_nothing_half_done_where_it_crashes() {
    let stack = Stack::start(Settings::default().programs_in(&faulty_programs())).await;
    let mut points: Vec<String> = plan::points()
        .into_iter()
        .filter(|(_, programs)| programs.iter().any(|it| it == "orch"))
        .map(|(name, _)| name)
        .collect();
    points.sort_unstable();
    assert_eq!(
        points,
        [
            "store.create_api_key.after_commit",
            "store.create_api_key.before_commit",
            "store.revoke_api_key.after_commit",
            "store.revoke_api_key.before_commit",
        ],
        "this test knows every point of the command line"
    );

    let create = ["keys", "create", "--name", "crashed", "--scope", "read", "--json"];
    crash(&stack, &create, "store.create_api_key.before_commit").await;
    assert_eq!(crashed_keys(&stack).await.len(), 0, "it was not committed");
    crash(&stack, &create, "store.create_api_key.after_commit").await;
    let keys = crashed_keys(&stack).await;
    assert_eq!(keys.len(), 1, "it was committed: {keys:?}");

    let id = keys[0]["id"].as_str().unwrap();
    let revoke = ["keys", "revoke", id];
    crash(&stack, &revoke, "store.revoke_api_key.before_commit").await;
    assert_eq!(crashed_keys(&stack).await[0]["status"], "valid");
    crash(&stack, &revoke, "store.revoke_api_key.after_commit").await;
    let revoked = crashed_keys(&stack).await;
    assert_eq!(revoked[0]["status"], "revoked");
    let again = stack.orch(&revoke, &[]).await;
    assert!(again.status.success(), "{again:?}");
    assert_eq!(crashed_keys(&stack).await, revoked, "it stays as it was");
    stack.stop().await;
}

/// Runs the command, which must die at the point.
async fn crash(stack: &Stack, arguments: &[&str], point: &str) {
    let output = stack.orch(arguments, &[("ORCH_FAULT_POINT", point)]).await;
    assert_eq!(output.status.signal(), Some(6), "orch {arguments:?} at {point}: {output:?}");
}

/// The keys that the crashed commands have made.
async fn crashed_keys(stack: &Stack) -> Vec<Value> {
    let output = stack.orch(&["keys", "list", "--json"], &[]).await;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = answer["items"].as_array().unwrap();
    keys.iter().filter(|it| it["name"] == "crashed").cloned().collect()
}
