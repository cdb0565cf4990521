//! What machines say: checks, deployments, installations, pings.

use github::{Check, CheckKind, DeploymentStatus, Installation, Ping, Subject};
use serde_json::json;

use crate::{account, account_json, check, read, some};

#[test]
fn the_four_ways_to_say_how_a_commit_does_are_one() {
    let pulls = json!([{"id": 1, "number": 12, "head": {"ref": "fix", "sha": "ec26c3e"}, "base": {"ref": "main"}}]);
    let expected = |kind, name, conclusion, url, summary, pull_requests: &[i64]| Check {
        kind,
        name: some(name),
        status: some("completed"),
        conclusion: some(conclusion),
        head_sha: some("ec26c3e"),
        head_branch: some("fix"),
        url,
        summary,
        pull_requests: pull_requests.to_vec(),
    };
    let run = json!({
        "id": 128_620_228, "head_sha": "ec26c3e", "html_url": "https://github.com/river/mill/runs/1",
        "details_url": "https://ci.example", "status": "completed", "conclusion": "failure", "name": "test",
        "output": {"title": "2 failed", "summary": null, "text": null, "annotations_count": 2},
        "check_suite": {"id": 2, "head_branch": "fix", "head_sha": "ec26c3e"}, "pull_requests": pulls,
    });
    let url = some("https://github.com/river/mill/runs/1");
    let red = expected(CheckKind::CheckRun, "test", "failure", url, some("2 failed"), &[12]);
    assert!(red.is_red());
    check("check_run", "completed", json!({"check_run": run}), Subject::Check(red));

    let suite = json!({
        "id": 2, "head_branch": "fix", "head_sha": "ec26c3e", "status": "completed", "conclusion": "success",
        "pull_requests": pulls, "app": {"id": 29_310, "slug": "ci", "name": "CI of the river"},
    });
    let green = expected(CheckKind::CheckSuite, "CI of the river", "success", None, None, &[12]);
    assert!(!green.is_red());
    check("check_suite", "completed", json!({"check_suite": suite}), Subject::Check(green));

    let workflow = json!({
        "id": 9, "name": "ci", "head_branch": "fix", "head_sha": "ec26c3e", "run_number": 5, "event": "push",
        "status": "completed", "conclusion": "timed_out", "display_title": "Turn right", "pull_requests": [],
        "html_url": "https://github.com/river/mill/actions/runs/9",
    });
    let url = some("https://github.com/river/mill/actions/runs/9");
    let red = expected(CheckKind::WorkflowRun, "ci", "timed_out", url, some("Turn right"), &[]);
    check("workflow_run", "completed", json!({"workflow_run": workflow}), Subject::Check(red));

    let status = json!({
        "id": 6_805_126_730_i64, "sha": "ec26c3e", "name": "river/mill", "context": "ci/old", "state": "error",
        "target_url": "https://ci.example/1", "description": "no machine", "branches": [{"name": "fix"}, {"name": "x"}],
    });
    let url = some("https://ci.example/1");
    let red = expected(CheckKind::Status, "ci/old", "error", url, some("no machine"), &[]);
    assert!(red.is_red());
    // A status has no action; the table's envelope has one.
    check("status", "none", status, Subject::Check(red));
}

#[test]
fn a_status_that_is_pending_has_no_conclusion() {
    let envelope = read("status", &json!({"sha": "ec26c3e", "state": "pending", "context": "ci"}));
    let Subject::Check(status) = envelope.subject else { panic!("{envelope:?}") };
    assert_eq!((status.status, status.conclusion), (some("in_progress"), None));
}

#[test]
fn a_deployment_tells_how_it_went() {
    let parts = json!({
        "deployment_status": {
            "id": 2, "state": "failure", "environment": "production", "description": "no space left",
            "target_url": "https://deploy.example/1", "log_url": "", "creator": account_json("ada", 1, "User"),
        },
        "deployment": {"id": 1, "ref": "main", "sha": "f95f852", "task": "deploy", "environment": "production"},
    });
    let status = DeploymentStatus {
        state: "failure".to_owned(),
        environment: some("production"),
        description: some("no space left"),
        url: some("https://deploy.example/1"),
        reference: some("main"),
        sha: some("f95f852"),
    };
    check("deployment_status", "created", parts, Subject::Deployment(status));
}

#[test]
fn an_installation_tells_what_the_app_may_see() {
    let installation = json!({"id": 234, "account": account_json("river", 6_752_317, "Organization"), "app_id": 5});
    let account = Some(account("river", 6_752_317, "Organization"));
    let repositories =
        json!([{"id": 1, "name": "mill", "full_name": "river/mill", "private": true}]);
    let parts = json!({"installation": installation, "repositories": repositories});
    let added = vec!["river/mill".to_owned()];
    let expected =
        Installation { id: 234, account: account.clone(), added: added.clone(), removed: vec![] };
    check("installation", "created", parts, Subject::Installation(expected));

    let parts = json!({
        "installation": installation, "repository_selection": "selected", "repositories_added": repositories,
        "repositories_removed": [{"id": 2, "name": "dam", "full_name": "river/dam", "private": false}],
    });
    let expected = Installation { id: 234, account, added, removed: vec!["river/dam".to_owned()] };
    check("installation_repositories", "added", parts, Subject::Installation(expected));
}

#[test]
fn a_ping_is_known_and_what_we_do_not_read_is_other() {
    let parts = json!({"zen": "Keep it logically awesome.", "hook_id": 109_948_940, "hook": {"type": "App"}});
    let ping = Ping { zen: some("Keep it logically awesome."), hook_id: Some(109_948_940) };
    check("ping", "none", parts, Subject::Ping(ping));
    check("star", "created", json!({"starred_at": null}), Subject::Other);
    check("an_event_of_next_year", "risen", json!({"thing": {}}), Subject::Other);
}
