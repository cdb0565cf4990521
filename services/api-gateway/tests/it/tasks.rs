use serde_json::json;
use testkit::on_both_stores;

use crate::api::Api;

const NOBODY: &str = "0197f1de-0000-7000-8000-000000000000";

on_both_stores!(a_task_is_created_in_a_run_of_its_own_and_read, |db| async move {
    let api = Api::start(db).await;
    let body = json!({
        "role": "architect", "kind": "single", "description": "Plan it.", "payload": {"deep": [1, {"a": null}]},
        "metadata": {"ticket": 7}, "priority": 2, "maxAttempts": 5, "repository": "owner/name", "goal": "Grow.",
    });
    let created = api.post("/tasks", body).await.expect(201);
    assert_eq!(created.header("location"), format!("/tasks/{}", created.id()));
    let task = api.get(&format!("/tasks/{}", created.id())).await.expect(200);
    assert_eq!(task.body, created.body);
    let run = api.get(&format!("/runs/{}", task.text("runId"))).await.expect(200);
    for (field, value) in [
        ("role", json!("architect")),
        ("kind", json!("single")),
        ("status", json!("queued")),
        ("description", json!("Plan it.")),
        ("payload", json!({"deep": [1, {"a": null}]})),
        ("metadata", json!({"ticket": 7})),
        ("priority", json!(2)),
        ("maxAttempts", json!(5)),
        ("attempt", json!(0)),
        ("dispatched", json!(true)),
        ("dependsOn", json!([])),
        ("result", json!(null)),
    ] {
        assert_eq!(task.body[field], value, "{field}");
    }
    for (field, value) in [
        ("workflow", json!("single")),
        ("status", json!("queued")),
        ("goal", json!("Grow.")),
        ("repository", json!("owner/name")),
        ("source", json!({"kind": "api"})),
        ("budget", json!({})),
        ("priority", json!(2)),
    ] {
        assert_eq!(run.body[field], value, "{field}");
    }
});

on_both_stores!(a_task_joins_a_run_and_waits_for_others_of_it, |db| async move {
    let api = Api::start(db).await;
    let first = api.task().await;
    let run = first.text("runId");
    let body = json!({"runId": run, "role": "reviewer", "description": "Judge.", "dependsOn": [first.id(), first.id()]});
    let second = api.post("/tasks", body).await.expect(201);
    assert_eq!((second.text("status"), second.text("runId")), ("pending", run));
    assert_eq!(second.body["dependsOn"], json!([first.id()]));
    api.complete(first.id()).await;
    let second = api.get(&format!("/tasks/{}", second.id())).await;
    assert_eq!(second.text("status"), "queued");
    let tasks = api.get(&format!("/runs/{run}/tasks")).await.expect(200);
    let ids: Vec<_> =
        tasks.body["items"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [json!(first.id()), json!(second.id())]);
});

on_both_stores!(a_client_chooses_ids_and_taken_ones_are_refused, |db| async move {
    let api = Api::start(db).await;
    let id = "0197f1de-1111-7000-8000-000000000001";
    let body = json!({"id": id, "role": "tester", "description": "Look."});
    assert_eq!(api.post("/tasks", body.clone()).await.expect(201).id(), id);
    let refused = api.post("/tasks", body).await.refused(409, "id_exists");
    assert_eq!(refused.body["errors"], json!([{"field": "id", "detail": id}]));
});

on_both_stores!(what_a_task_refers_to_must_be_there, |db| async move {
    let api = Api::start(db).await;
    let task = |run: &str, depends_on: &str| json!({"runId": run, "role": "tester", "description": "x", "dependsOn": [depends_on]});
    api.post("/tasks", task(NOBODY, NOBODY)).await.refused(404, "run_not_found");
    let first = api.task().await;
    let refused =
        api.post("/tasks", task(first.text("runId"), NOBODY)).await.refused(409, "bad_dependency");
    assert_eq!(refused.fields(), ["dependsOn"]);
    let other = api.task().await;
    api.post("/tasks", task(first.text("runId"), other.id())).await.refused(409, "bad_dependency");
    api.complete(first.id()).await;
    let late = json!({"runId": first.text("runId"), "role": "tester", "description": "x"});
    let refused = api.post("/tasks", late).await.refused(409, "run_status");
    assert_eq!(refused.body["errors"], json!([{"field": "status", "detail": "completed"}]));
});

on_both_stores!(a_task_that_does_not_run_is_changed, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    let path = format!("/tasks/{}", task.id());
    let patch = json!({"description": "Look again.", "payload": {"a": 1}, "priority": 0, "role": "reviewer", "maxAttempts": 2});
    let changed = api.patch(&path, patch.clone()).await.expect(200);
    for (field, value) in patch.as_object().unwrap() {
        assert_eq!(&changed.body[field], value, "{field}");
    }
    assert_eq!(api.patch(&path, json!({})).await.expect(200).body["description"], "Look again.");
    api.claim(task.id()).await;
    let refused = api.patch(&path, json!({"priority": 9})).await.refused(409, "task_status");
    assert_eq!(refused.body["errors"], json!([{"field": "status", "detail": "running"}]));
});

on_both_stores!(a_pending_task_is_dispatched, |db| async move {
    let api = Api::start(db).await;
    let pending = || async {
        let body = json!({"role": "tester", "description": "Later.", "dispatch": false});
        api.post("/tasks", body).await.expect(201)
    };
    let first = pending().await;
    assert_eq!(first.text("status"), "pending");
    let path = format!("/tasks/{}/dispatch", first.id());
    assert_eq!(api.order(&path).await.expect(200).text("status"), "queued");
    api.order(&path).await.refused(409, "task_status");

    let (second, third) = (pending().await, pending().await);
    let done = api.post("/tasks/dispatch", json!({"limit": 1, "role": "tester"})).await.expect(200);
    assert_eq!(done.body, json!({"count": 1, "taskIds": [second.id()]}));
    let done = api.order("/tasks/dispatch").await.expect(200);
    assert_eq!(done.body, json!({"count": 1, "taskIds": [third.id()]}));
    api.post("/tasks/dispatch", json!({"limit": 0})).await.refused(422, "invalid_field");
});

on_both_stores!(a_task_is_cancelled_retried_and_deleted, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    let path = |verb: &str| format!("/tasks/{}{verb}", task.id());
    let cancelled = api.order(&path("/cancel")).await.expect(200);
    assert_eq!(
        (cancelled.text("status"), cancelled.text("cancelReason")),
        ("cancelled", "requested")
    );
    api.order(&path("/cancel")).await.refused(409, "task_status");
    assert_eq!(api.order(&path("/retry")).await.expect(200).text("status"), "queued");
    api.order(&path("/retry")).await.refused(409, "task_status");
    assert_eq!(api.delete(&path("")).await.expect(204).body, json!(null));
    api.get(&path("")).await.refused(404, "task_not_found");
});

on_both_stores!(what_happened_to_a_task_is_told_in_order, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    api.complete(task.id()).await;
    let history = api.get(&format!("/tasks/{}/history", task.id())).await.expect(200);
    let kinds: Vec<_> = history.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"task.created"));
    assert_eq!(kinds.last(), Some(&"task.completed"));
    let done = api.get(&format!("/tasks/{}", task.id())).await;
    assert_eq!((done.text("status"), &done.body["result"]), ("completed", &json!({"answer": 42})));
});

on_both_stores!(metadata_is_changed_by_a_merge_patch, |db| async move {
    let api = Api::start(db).await;
    let body = json!({"role": "tester", "description": "x", "metadata": {"a": {"b": 1, "c": 2}, "d": [1]}});
    let task = api.post("/tasks", body).await.expect(201);
    let path = format!("/tasks/{}/metadata", task.id());
    let merged = api.patch(&path, json!({"a": {"b": null, "e": "f"}, "d": null})).await.expect(200);
    assert_eq!(merged.body, json!({"a": {"c": 2, "e": "f"}}));
    assert_eq!(api.get(&path).await.expect(200).body, merged.body);
    let media = [("Content-Type", "application/merge-patch+json")];
    let answer =
        api.send(reqwest::Method::PATCH, &path, &media, Some(r#"{"a":null}"#.to_owned())).await;
    assert_eq!(answer.expect(200).body, json!({}));
    api.patch(&path, json!([1])).await.refused(400, "invalid_body");
});

on_both_stores!(what_was_said_in_each_attempt_is_read, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    let path = format!("/tasks/{}/transcript", task.id());
    assert_eq!(api.get(&path).await.expect(200).body, json!({"items": []}));
    api.complete(task.id()).await;
    let mut turns = api.get(&path).await.expect(200).body;
    assert!(turns["items"][0].as_object_mut().unwrap().remove("at").is_some());
    assert_eq!(
        turns,
        json!({"items": [{"attempt": 1, "seq": 0, "kind": "prompt", "role": "user", "content": "Do it."}]})
    );
});

on_both_stores!(a_task_that_does_not_exist_is_404_everywhere, |db| async move {
    let api = Api::start(db).await;
    let path = |verb: &str| format!("/tasks/{NOBODY}{verb}");
    for verb in ["", "/history", "/metadata", "/transcript"] {
        api.get(&path(verb)).await.refused(404, "task_not_found");
    }
    for verb in ["/dispatch", "/cancel", "/retry"] {
        api.order(&path(verb)).await.refused(404, "task_not_found");
    }
    api.patch(&path(""), json!({"priority": 1})).await.refused(404, "task_not_found");
    api.patch(&path("/metadata"), json!({})).await.refused(404, "task_not_found");
    api.delete(&path("")).await.refused(404, "task_not_found");
});
