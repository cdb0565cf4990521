use serde_json::json;
use testkit::on_both_stores;

use crate::api::{Api, settings};

on_both_stores!(a_run_begins_with_its_workflows_first_task, |db| async move {
    let api = Api::start(db).await;
    let body = json!({
        "id": "0197f1de-0000-7000-8000-000000000001", "repository": "https://example.org/o/n.git", "baseRef": "main",
        "goal": "Grow.", "budget": {"maxTokens": 1000, "maxRounds": 2}, "priority": 4, "metadata": {"a": 1},
    });
    let run = api.post("/runs", body.clone()).await.expect(201);
    assert_eq!(run.header("location"), "/runs/0197f1de-0000-7000-8000-000000000001");
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&run.body[field], value, "{field}");
    }
    assert_eq!((run.text("workflow"), run.text("status")), ("grow", "queued"));
    assert_eq!(api.get(run.header("location")).await.expect(200).body, run.body);
    let tasks = api.get(&format!("/runs/{}/tasks", run.id())).await.expect(200).body;
    let task = &tasks["items"][0];
    assert_eq!(
        [&task["role"], &task["kind"], &task["description"]],
        ["architect", "plan", "Grow."]
    );
    assert_eq!(task["priority"], 4);
    api.post("/runs", body).await.refused(409, "id_exists");

    let single =
        api.post("/runs", json!({"goal": "Look.", "workflow": "single"})).await.expect(201);
    let tasks = api.get(&format!("/runs/{}/tasks", single.id())).await.body;
    assert_eq!([&tasks["items"][0]["role"], &tasks["items"][0]["kind"]], ["architect", "single"]);
});

on_both_stores!(a_run_that_cannot_be_is_refused_with_every_reason, |db| async move {
    let api = Api::start(db).await;
    let refused = api.post("/runs", json!({"goal": "Grow."})).await.refused(422, "invalid_field");
    assert_eq!(refused.fields(), ["repository"]);
    let body = json!({
        "goal": "", "repository": "https://me:secret@example.org/o/n", "baseRef": "", "priority": -1,
        "budget": {"maxTokens": 0, "maxMinutes": 0, "maxRounds": 4},
    });
    let refused = api.post("/runs", body).await.refused(422, "invalid_field");
    assert_eq!(
        refused.fields(),
        [
            "goal",
            "repository",
            "baseRef",
            "budget.maxTokens",
            "budget.maxMinutes",
            "budget.maxRounds",
            "priority"
        ]
    );
    assert!(!refused.body.to_string().contains("secret"));
    let refused = api
        .post("/runs", json!({"goal": "x", "budget": {"maxEuro": 1}}))
        .await
        .refused(400, "invalid_body");
    assert_eq!(refused.fields(), ["budget.maxEuro"]);
});

on_both_stores!(local_repositories_are_for_those_who_are_allowed, |db| async move {
    let local = json!({"goal": "Grow.", "repository": "/srv/repository"});
    let api = Api::start(db).await;
    let refused = api.post("/runs", local.clone()).await.refused(422, "invalid_field");
    assert_eq!(refused.fields(), ["repository"]);
    let allowing = api_gateway::settings::Settings { allow_local_repositories: true, ..settings() };
    let api = Api::start_with(testkit::TestStore::sqlite().await, allowing).await;
    api.post("/runs", local).await.expect(201);
});

on_both_stores!(a_run_is_paused_resumed_and_cancelled, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    let path = |verb: &str| format!("/runs/{}{verb}", task.text("runId"));
    let status = async || api.get(&format!("/tasks/{}", task.id())).await.text("status").to_owned();
    assert_eq!(api.order(&path("/pause")).await.expect(200).text("status"), "paused");
    assert_eq!(status().await, "pending");
    let refused = api.order(&path("/pause")).await.refused(409, "run_status");
    assert_eq!(refused.body["errors"], json!([{"field": "status", "detail": "paused"}]));
    assert_eq!(api.order(&path("/resume")).await.expect(200).text("status"), "queued");
    assert_eq!(status().await, "queued");
    api.order(&path("/resume")).await.refused(409, "run_status");
    assert_eq!(api.order(&path("/cancel")).await.expect(200).text("status"), "cancelled");
    assert_eq!(status().await, "cancelled");
    for verb in ["/cancel", "/pause", "/resume", "/retry"] {
        api.order(&path(verb)).await.refused(409, "run_status");
    }
});

on_both_stores!(a_failed_run_is_retried, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    let path = |verb: &str| format!("/runs/{}{verb}", task.text("runId"));
    api.fail(task.id()).await;
    assert_eq!(api.get(&path("")).await.text("status"), "failed");
    assert_eq!(api.order(&path("/retry")).await.expect(200).text("status"), "queued");
    let again = api.get(&format!("/tasks/{}", task.id())).await;
    assert_eq!((again.text("status"), &again.body["attempt"]), ("queued", &json!(0)));
});

on_both_stores!(a_run_that_does_not_exist_is_404_everywhere, |db| async move {
    let api = Api::start(db).await;
    let path = |verb: &str| format!("/runs/0197f1de-0000-7000-8000-000000000000{verb}");
    for verb in ["", "/tasks", "/events"] {
        api.get(&path(verb)).await.refused(404, "run_not_found");
    }
    for verb in ["/cancel", "/pause", "/resume", "/retry"] {
        api.order(&path(verb)).await.refused(404, "run_not_found");
    }
});

on_both_stores!(runs_are_listed_by_what_they_are, |db| async move {
    let api = Api::start(db).await;
    let grow = api.post("/runs", json!({"goal": "g", "repository": "o/n"})).await.expect(201);
    let single = api
        .post("/runs", json!({"goal": "s", "workflow": "single", "repository": "o/m"}))
        .await
        .expect(201);
    api.order(&format!("/runs/{}/cancel", single.id())).await.expect(200);
    let listed = async |query: &str| {
        let answer = api.get(&format!("/runs{query}")).await.expect(200);
        let items = answer.body["items"].as_array().unwrap();
        items.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, [single.id(), grow.id()]);
    assert_eq!(listed("?workflow=grow").await, [grow.id()]);
    assert_eq!(listed("?status=cancelled").await, [single.id()]);
    assert_eq!(listed("?repository=o%2Fn&status=queued").await, [grow.id()]);
    assert_eq!(listed("?repository=o%2Fx").await, [""; 0]);
});
