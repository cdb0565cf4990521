use serde_json::json;
use testkit::on_both_stores;

use crate::api::Api;

on_both_stores!(an_event_starts_the_run_that_answers_it, |db| async move {
    let api = Api::start(db).await;
    let body = json!({
        "kind": "ISSUE", "action": "labeled", "labels": ["ai-task"], "repository": "o/n", "ref": "main",
        "title": "Make it fast", "body": "It is slow.", "url": "https://example.org/issues/1",
    });
    let answer = api.post("/events", body).await.expect(202);
    assert_eq!(answer.header("location"), format!("/runs/{}", answer.text("runId")));
    assert_eq!(answer.body, json!({"status": "accepted", "runId": answer.text("runId")}));
    let run = api.get(answer.header("location")).await.expect(200).body;
    assert_eq!(
        [&run["workflow"], &run["goal"], &run["baseRef"]],
        ["grow", "Make it fast\n\nIt is slow.", "main"]
    );
    assert_eq!(run["source"], json!({"kind": "event", "event": "ISSUE"}));
    let tasks = api.get(&format!("{}/tasks", answer.header("location"))).await.body;
    assert_eq!(tasks["items"][0]["payload"], json!({"url": "https://example.org/issues/1"}));
});

on_both_stores!(red_checks_are_urgent_and_green_ones_start_nothing, |db| async move {
    let api = Api::start(db).await;
    let red = api
        .post("/events", json!({"kind": "CI_STATUS", "conclusion": "failure", "repository": "o/n"}))
        .await
        .expect(202);
    let tasks = api.get(&format!("{}/tasks", red.header("location"))).await.body;
    assert_eq!(
        [&tasks["items"][0]["role"], &tasks["items"][0]["priority"]],
        [&json!("tester"), &json!(2)]
    );
    let green = api
        .post("/events", json!({"kind": "CI_STATUS", "conclusion": "success"}))
        .await
        .expect(202);
    assert_eq!(green.body, json!({"status": "skipped", "reason": "the checks passed"}));
    assert_eq!(green.header("location"), "");
    assert_eq!(api.get("/runs").await.body["items"].as_array().unwrap().len(), 1);
});

on_both_stores!(an_event_that_cannot_be_is_refused, |db| async move {
    let api = Api::start(db).await;
    for (body, status, field) in [
        (json!({}), 400, "kind"),
        (json!({"kind": "issue"}), 400, "kind"),
        (json!({"kind": "PUSH", "bogus": 1}), 400, "bogus"),
        (json!({"kind": "CI_STATUS", "status": "great"}), 400, "status"),
        (json!({"kind": "PUSH", "repository": "x"}), 422, "repository"),
        (json!({"kind": "PUSH", "ref": ""}), 422, "ref"),
        (json!({"kind": "PUSH", "title": "x".repeat(1_025)}), 422, "title"),
        (json!({"kind": "ISSUE", "labels": ["ai-task"]}), 422, "repository"),
        (json!({"kind": "ISSUE", "labels": vec!["x"; 101]}), 422, "labels"),
    ] {
        let code = if status == 400 { "invalid_body" } else { "invalid_field" };
        let refused = api.post("/events", body.clone()).await.refused(status, code);
        assert_eq!(refused.fields(), [field], "{body}");
    }
});
