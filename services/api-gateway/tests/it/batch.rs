use serde_json::{Value, json};
use testkit::on_both_stores;

use crate::api::Api;

const FIRST: &str = "0197f1de-0000-7000-8000-000000000001";
const SECOND: &str = "0197f1de-0000-7000-8000-000000000002";

fn task(id: &str, depends_on: &[&str]) -> Value {
    json!({"id": id, "role": "tester", "description": format!("Task {id}"), "dependsOn": depends_on})
}

async fn stored(api: &Api) -> usize {
    api.get("/tasks?limit=200").await.expect(200).body["items"].as_array().unwrap().len()
}

on_both_stores!(tasks_of_a_batch_share_a_run_and_depend_on_each_other, |db| async move {
    let api = Api::start(db).await;
    let body = json!({"goal": "Both.", "repository": "o/n", "tasks": [task(SECOND, &[FIRST]), task(FIRST, &[])]});
    let made = api.post("/tasks/batch", body).await.expect(201);
    assert_eq!(made.header("location"), format!("/tasks/{SECOND}"));
    assert_eq!(made.body["ids"], json!([SECOND, FIRST]));
    let of =
        |index: usize, field: &str| made.body["tasks"][index][field].as_str().unwrap().to_owned();
    assert_eq!([of(0, "status"), of(1, "status")], ["pending", "queued"]);
    assert_eq!(of(0, "runId"), of(1, "runId"));
    assert_eq!(made.body["runs"].as_array().unwrap().len(), 1);
    assert_eq!(made.body["runs"][0]["goal"], "Both.");
    assert_eq!(made.body["runs"][0]["repository"], "o/n");
    let body = json!({"tasks": [{"role": "tester", "description": "Alone."}]});
    let alone = api.post("/tasks/batch", body).await.expect(201);
    assert_eq!(alone.body["runs"][0]["goal"], "Alone.");
});

on_both_stores!(a_batch_that_joins_runs_answers_in_the_order_of_the_request, |db| async move {
    let api = Api::start(db).await;
    let run = api.task().await.text("runId").to_owned();
    let item = |index: usize| {
        let description = format!("Task {index}");
        if index.is_multiple_of(2) {
            json!({"runId": run, "role": "tester", "description": description})
        } else {
            json!({"role": "tester", "description": description})
        }
    };
    let body = json!({"tasks": (0..6).map(item).collect::<Vec<_>>()});
    for answer in [
        api.post_once("k", "/tasks/batch", &body).await,
        api.post_once("k", "/tasks/batch", &body).await,
    ] {
        let answer = answer.expect(201);
        let tasks = answer.body["tasks"].as_array().unwrap();
        let described: Vec<_> =
            tasks.iter().map(|it| it["description"].as_str().unwrap()).collect();
        assert_eq!(described, ["Task 0", "Task 1", "Task 2", "Task 3", "Task 4", "Task 5"]);
        let ids: Vec<_> = tasks.iter().map(|it| it["id"].clone()).collect();
        assert_eq!(answer.body["ids"], json!(ids));
    }
    assert_eq!(stored(&api).await, 7);
});

on_both_stores!(a_batch_is_made_whole_or_not_at_all, |db| async move {
    let api = Api::start(db).await;
    let nobody = "0197f1de-0000-7000-8000-00000000000f";
    let batch = |tasks: &[Value]| json!({ "tasks": tasks });
    let post = async |tasks: &[Value]| api.post("/tasks/batch", batch(tasks)).await;

    let refused = post(&[task(FIRST, &[]), task(FIRST, &[])]).await.refused(422, "invalid_field");
    assert_eq!(refused.fields(), ["tasks[1].id"]);
    post(&[task(FIRST, &[SECOND]), task(SECOND, &[FIRST])]).await.refused(409, "bad_dependency");
    post(&[task(FIRST, &[FIRST])]).await.refused(409, "bad_dependency");
    post(&[task(FIRST, &[nobody])]).await.refused(409, "bad_dependency");
    let lost = json!({"runId": nobody, "role": "tester", "description": "x"});
    post(&[task(FIRST, &[]), lost]).await.refused(404, "run_not_found");
    let vague = json!({"role": "tester", "description": "", "priority": 12, "maxAttempts": 0});
    let refused = post(&[task(FIRST, &[]), vague]).await.refused(422, "invalid_field");
    assert_eq!(
        refused.fields(),
        ["tasks[1].description", "tasks[1].maxAttempts", "tasks[1].priority"]
    );
    let refused = post(&[task(FIRST, &[]), json!({"role": "boss", "description": "x"})])
        .await
        .refused(400, "invalid_body");
    assert_eq!(refused.fields(), ["tasks[1].role"]);
    assert_eq!(stored(&api).await, 0);

    post(&[task(SECOND, &[])]).await.expect(201);
    let refused = post(&[task(FIRST, &[]), task(SECOND, &[])]).await.refused(409, "id_exists");
    assert_eq!(refused.body["errors"], json!([{"field": "id", "detail": SECOND}]));
    assert_eq!(stored(&api).await, 1);
});

on_both_stores!(a_batch_has_1_to_1000_tasks, |db| async move {
    let api = Api::start(db).await;
    let batch =
        |count: usize| json!({"tasks": vec![json!({"role": "tester", "description": "x"}); count]});
    for count in [0, 1_001] {
        let refused = api.post("/tasks/batch", batch(count)).await.refused(422, "invalid_field");
        assert_eq!(refused.fields(), ["tasks"]);
    }
    let made = api.post("/tasks/batch", batch(1_000)).await.expect(201);
    assert_eq!(made.body["ids"].as_array().unwrap().len(), 1_000);
    assert_eq!(made.body["runs"].as_array().unwrap().len(), 1);
});
