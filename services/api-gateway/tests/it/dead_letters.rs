use serde_json::{Value, json};
use testkit::on_both_stores;

use crate::api::Api;

/// Dead letters of so many runs, the oldest first.
async fn dead(api: &Api, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let task = api.task().await;
        api.fail(task.id()).await;
        ids.push(task.id().to_owned());
    }
    ids
}

async fn listed(api: &Api, query: &str) -> Vec<String> {
    let items = api.get(&format!("/dlq{query}")).await.expect(200).body["items"].take();
    items.as_array().unwrap().iter().map(|it| it["taskId"].as_str().unwrap().to_owned()).collect()
}

async fn size(api: &Api) -> Value {
    api.get("/dlq/size").await.expect(200).body["size"].take()
}

on_both_stores!(a_task_that_failed_for_good_is_listed_and_replayed, |db| async move {
    let api = Api::start(db).await;
    assert_eq!(size(&api).await, 0);
    let ids = dead(&api, 3).await;
    assert_eq!(size(&api).await, 3);
    assert_eq!(api.get("/dlq/size?role=reviewer").await.expect(200).body, json!({"size": 0}));
    let mut letter = api.get("/dlq?limit=1").await.expect(200).body["items"][0].take();
    assert!(letter.as_object_mut().unwrap().remove("at").is_some());
    let run = api.get(&format!("/tasks/{}", ids[2])).await.text("runId").to_owned();
    assert_eq!(
        letter,
        json!({
            "taskId": ids[2], "runId": run, "role": "tester", "reason": "fatal", "attempts": 1,
            "error": {"code": "invalid_input", "message": "It cannot be done."},
        })
    );
    let nobody = "0197f1de-0000-7000-8000-000000000000";
    let replayed = api.post("/dlq/replay", json!({"taskIds": [ids[1], nobody]})).await.expect(200);
    assert_eq!(replayed.body, json!({"count": 1, "taskIds": [ids[1]]}));
    assert_eq!(api.get(&format!("/tasks/{}", ids[1])).await.text("status"), "queued");
    assert_eq!(listed(&api, "").await, [ids[2].as_str(), &ids[0]]);
    let replayed = api.order("/dlq/replay").await.expect(200);
    assert_eq!(replayed.body["count"], 2);
    assert_eq!(size(&api).await, 0);
});

on_both_stores!(the_oldest_are_taken_first, |db| async move {
    let api = Api::start(db).await;
    let ids = dead(&api, 3).await;
    let replayed = api.post("/dlq/replay", json!({"limit": 1, "role": "tester"})).await.expect(200);
    assert_eq!(replayed.body["taskIds"], json!([ids[0]]));
    let replayed = api.post("/dlq/replay", json!({"role": "architect"})).await.expect(200);
    assert_eq!(replayed.body["count"], 0);
});

on_both_stores!(dead_letters_are_dismissed, |db| async move {
    let api = Api::start(db).await;
    let ids = dead(&api, 3).await;
    let purged = api.delete(&format!("/dlq?taskId={}", ids[1])).await.expect(200);
    assert_eq!(purged.body, json!({"count": 1, "taskIds": [ids[1]]}));
    assert_eq!(api.delete("/dlq?limit=1").await.expect(200).body["taskIds"], json!([ids[0]]));
    assert_eq!(api.delete("/dlq").await.expect(200).body["count"], 1);
    assert_eq!(size(&api).await, 0);
    assert_eq!(api.get(&format!("/tasks/{}", ids[1])).await.text("status"), "failed");
});

on_both_stores!(a_choice_that_cannot_be_is_refused, |db| async move {
    let api = Api::start(db).await;
    let too_many = vec!["0197f1de-0000-7000-8000-000000000000"; 1_001];
    for (body, field) in
        [(json!({"taskIds": too_many}), "taskIds"), (json!({"limit": 1_001}), "limit")]
    {
        let refused = api.post("/dlq/replay", body).await.refused(422, "invalid_field");
        assert_eq!(refused.fields(), [field]);
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("taskId=x", "taskId"),
        ("bogus=1", "bogus"),
    ] {
        let refused = api.delete(&format!("/dlq?{query}")).await.refused(400, "invalid_query");
        assert_eq!(refused.fields(), [field], "{query}");
    }
});
