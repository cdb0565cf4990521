//! Every command that talks to the API.

use data_encoding::HEXLOWER;
use ring::hmac;
use serde_json::{Value, json};

use crate::server::Server;

fn names(list: &Value, field: &str) -> Vec<String> {
    let items = list["items"].as_array().expect("a list has items");
    items.iter().map(|it| it[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_created_kept_back_dispatched_read_and_deleted() {
    let server = Server::start().await;
    let created = server
        .call(&[
            "tasks",
            "create",
            "Look\x1b[2J closely",
            "--role",
            "reviewer",
            "--no-dispatch",
            "--priority",
            "1",
        ])
        .await
        .assert(0);
    let id = created.stdout.trim().to_owned();
    assert!(
        created.stderr.contains("It is pending. Follow its run with `orch runs follow "),
        "{created:?}"
    );

    let list = server
        .json(&["tasks", "list", "--status", "pending", "--role", "reviewer", "--query", "look"])
        .await;
    assert_eq!(names(&list, "id"), [id.as_str()]);
    assert_eq!(
        server.json(&["tasks", "list", "--status", "running"]).await,
        json!({ "items": [] })
    );
    let table = server.call(&["tasks", "list"]).await.assert(0).stdout;
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(rows[0].starts_with("ID") && rows[0].ends_with("DESCRIPTION"), "{table}");
    assert!(rows[1].starts_with(&id) && rows[1].ends_with("Look\u{fffd}[2J closely"), "{table}");

    let dispatched = server.json(&["tasks", "dispatch", &id]).await;
    assert_ne!(dispatched["status"], "pending");
    let run = dispatched["runId"].as_str().unwrap();
    server.call(&["runs", "follow", run]).await.assert(0);
    let task = server.json(&["tasks", "show", &id]).await;
    assert_eq!((&task["status"], &task["priority"]), (&json!("completed"), &json!(1)));
    let shown = server.call(&["tasks", "show", &id]).await.assert(0).stdout;
    assert!(
        shown.contains("status       completed") && shown.contains("Stub answer to: Look"),
        "{shown}"
    );
    let history = server.json(&["tasks", "history", &id]).await;
    let kinds = names(&history, "kind");
    assert_eq!(kinds, ["task.created", "task.queued", "task.started", "task.completed"]);
    assert_eq!(server.json(&["tasks", "transcript", &id]).await, json!({ "items": [] }));
    let nothing = server.call(&["tasks", "transcript", &id]).await.assert(0).stdout;
    assert!(nothing.starts_with("Nothing was said"), "{nothing}");

    assert_eq!(server.json(&["tasks", "delete", &id]).await, json!({ "deleted": id }));
    let gone = server.call(&["tasks", "show", &id]).await.assert(1);
    assert_eq!(gone.stderr, format!("error: Not Found (404): task {id} does not exist\n"));
    assert_eq!(gone.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_pending_tasks_are_dispatched_together_and_pages_go_on() {
    let server = Server::start().await;
    for _ in 0..3 {
        server
            .call(&["tasks", "create", "Wait", "--role", "tester", "--no-dispatch"])
            .await
            .assert(0);
    }
    let first = server.json(&["tasks", "list", "--limit", "2"]).await;
    let cursor = first["nextCursor"].as_str().expect("there is a third");
    let second = server.json(&["tasks", "list", "--limit", "2", "--cursor", cursor]).await;
    assert_eq!((names(&first, "id").len(), names(&second, "id").len()), (2, 1));
    let hint = server.call(&["tasks", "list", "--limit", "2"]).await.stderr;
    assert_eq!(hint, format!("There is more: --cursor {cursor}\n"));
    assert_eq!(
        server.json(&["tasks", "dispatch", "--role", "tester", "--limit", "2"]).await["count"],
        2
    );
    assert_eq!(server.json(&["tasks", "dispatch"]).await["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_failed_for_good_is_replayed_cancelled_and_dismissed() {
    let server = Server::start().await;
    let (id, run) = server.create(r#"{"stub": {"fail": 1, "error": "fatal"}}"#).await;
    let followed = server.call(&["runs", "follow", &run]).await.assert(1);
    assert!(
        followed
            .stdout
            .contains(&format!("Task {id} (tester) failed with invalid_input: the stub fails")),
        "{followed:?}"
    );
    assert!(followed.stdout.contains(&format!("orch runs retry {run}")), "{followed:?}");

    assert_eq!(server.json(&["dlq", "size", "--role", "tester"]).await, json!({ "size": 1 }));
    assert_eq!(names(&server.json(&["dlq", "list"]).await, "taskId"), [id.as_str()]);
    assert!(server.call(&["dlq", "list"]).await.assert(0).stdout.contains("invalid_input"));
    let replayed = server.json(&["dlq", "replay", &id]).await;
    assert_eq!(replayed, json!({ "count": 1, "taskIds": [id] }));
    server.call(&["runs", "follow", &run]).await.assert(1);
    server.json(&["runs", "retry", &run]).await;
    server.call(&["runs", "follow", &run]).await.assert(1);
    server.json(&["tasks", "retry", &id]).await;
    server.call(&["runs", "follow", &run]).await.assert(1);

    assert_eq!(server.json(&["dlq", "purge", "--role", "architect"]).await["count"], 0);
    assert_eq!(server.json(&["dlq", "purge", &id]).await, json!({ "count": 1, "taskIds": [id] }));
    assert_eq!(server.call(&["dlq", "size"]).await.assert(0).stdout, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_resumed_and_cancelled() {
    let server = Server::start().await;
    let (id, run) = server.create(r#"{"stub": {"sleepMs": 60000}}"#).await;
    assert_eq!(server.json(&["runs", "pause", &run]).await["status"], "paused");
    assert_eq!(server.call(&["runs", "pause", &run]).await.assert(1).stdout, "");
    assert_ne!(server.json(&["runs", "resume", &run]).await["status"], "paused");
    let cancelled = server.call(&["tasks", "cancel", &id]).await.assert(0);
    assert_eq!(cancelled.stdout, format!("Task {id} is cancelled.\n"));
    assert_eq!(server.json(&["runs", "show", &run]).await["tasks"][0]["cancelReason"], "requested");
    server.call(&["runs", "follow", &run]).await.assert(3);
    let refused = server.call(&["runs", "cancel", &run]).await.assert(1);
    assert!(
        refused.stderr.contains("only a run that has not ended can be cancelled"),
        "{refused:?}"
    );

    let list =
        server.json(&["runs", "list", "--status", "cancelled", "--workflow", "single"]).await;
    assert_eq!(names(&list, "id"), [run.as_str()]);
    let shown = server.call(&["runs", "show", &run]).await.assert(0).stdout;
    assert!(shown.contains("status    cancelled") && shown.contains(&id), "{shown}");
    assert!(server.call(&["runs", "list"]).await.assert(0).stdout.starts_with("ID"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_created_changed_triggered_and_deleted() {
    let server = Server::start().await;
    let arguments = [
        "schedules",
        "create",
        "--name",
        "nightly",
        "--cron",
        "0 3 * * *",
        "--timezone",
        "Europe/Berlin",
    ];
    let target = ["--roles", "architect,tester", "--description", "Look around"];
    let created = server.call(&[&arguments[..], &target].concat()).await.assert(0);
    let id = created.stdout.trim();
    let expected =
        json!({ "kind": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin" });
    let schedule = server.json(&["schedules", "show", id]).await;
    assert_eq!((&schedule["cadence"], &schedule["enabled"]), (&expected, &json!(true)));

    let change = [
        "schedules",
        "update",
        id,
        "--every",
        "90m",
        "--workflow",
        "single",
        "--goal",
        "Rest",
        "--enabled",
        "false",
    ];
    let changed = server.call(&change).await.assert(0).stdout;
    assert!(
        changed.contains("cadence   every 90m") && changed.contains("enabled   false"),
        "{changed}"
    );
    server.call(&["schedules", "update", id]).await.assert(2);
    let table = server.call(&["schedules", "list"]).await.assert(0).stdout;
    assert!(table.contains("nightly  every 90m  single  false"), "{table}");
    let run = server.json(&["schedules", "trigger", id]).await;
    assert_eq!((&run["goal"], &run["source"]["scheduleId"]), (&json!("Rest"), &json!(id)));
    server.call(&["runs", "follow", run["id"].as_str().unwrap()]).await.assert(0);

    server.json(&["schedules", "delete", id]).await;
    assert_eq!(server.json(&["schedules", "list"]).await, json!({ "items": [] }));
    let refused = server.call(&[
        "schedules",
        "create",
        "--name",
        "x",
        "--every",
        "10ms",
        "--roles",
        "tester",
        "--description",
        "d",
    ]);
    let refused = refused.await.assert(1);
    assert!(
        refused.stderr.contains("cadence.everyMs: `everyMs` is 10: use at least 1000"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_taken_on_the_same_port_listed_shown_and_taken_again() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start_in(
        home,
        &["--github-webhook-secret", "hush", "--webhook-redelivery-ms", "20"],
    )
    .await;
    let body = json!({ "zen": "Keep it logically awesome.", "hook_id": 1 }).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
    let signature = HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref());
    let answer = telemetry::http_client()
        .build()
        .unwrap()
        .post(format!("{}/webhooks/github", server.url))
        .header("X-GitHub-Event", "ping")
        .header("X-GitHub-Delivery", "d-1")
        .header("X-Hub-Signature-256", format!("sha256={signature}"))
        .header("Content-Type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);

    let list = server.json(&["deliveries", "list", "--event", "ping"]).await;
    assert_eq!(names(&list, "id"), ["d-1"]);
    assert_eq!(
        server.json(&["deliveries", "list", "--status", "accepted"]).await,
        json!({ "items": [] })
    );
    let table = server.call(&["deliveries", "list"]).await.assert(0).stdout;
    assert!(table.lines().nth(1).is_some_and(|it| it.starts_with("d-1  ping")), "{table}");
    assert_eq!(server.json(&["deliveries", "show", "d-1"]).await["payload"]["hook_id"], 1);
    let shown = server.call(&["deliveries", "show", "d-1"]).await.assert(0).stdout;
    assert!(shown.contains("Keep it logically awesome."), "{shown}");
    let asked = server.json(&["deliveries", "redeliver", "d-1"]).await;
    assert_eq!(asked["id"], "d-1");
    server.call(&["deliveries", "redeliver", "no/such?delivery"]).await.assert(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_shown_with_what_runs_them() {
    let server = Server::start().await;
    let agents = server.json(&["agents"]).await;
    assert_eq!(
        names(&agents, "role"),
        ["architect", "implementer", "reviewer", "tester", "maintainer"]
    );
    assert_eq!(names(&agents, "executor"), ["stub"; 5]);
    let table = server.call(&["agents"]).await.assert(0).stdout;
    assert_eq!(table.lines().count(), 6, "{table}");
}
