use std::collections::BTreeSet;

use api_gateway::settings::{Auth, Settings};
use domain::access::Scope;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both_stores;

use crate::api::{Api, settings};

fn body() -> Value {
    json!({"role": "tester", "description": "Once."})
}

async fn tasks(api: &Api) -> usize {
    api.get("/tasks").await.expect(200).body["items"].as_array().unwrap().len()
}

on_both_stores!(a_hundred_equal_requests_at_once_make_one_task, |db| async move {
    let api = Api::start(db).await;
    let body = body();
    let answers = join_all((0..100).map(|_| api.post_once("the-key", "/tasks", &body))).await;
    let mut bodies = BTreeSet::new();
    let mut first = 0;
    for answer in answers {
        let answer = answer.expect(201);
        assert_eq!(answer.header("location"), format!("/tasks/{}", answer.id()));
        first += usize::from(answer.header("idempotency-replayed").is_empty());
        bodies.insert(answer.body.to_string());
    }
    assert_eq!((bodies.len(), first, tasks(&api).await), (1, 1, 1));
});

on_both_stores!(of_two_requests_with_one_key_at_once_one_is_made, |db| async move {
    let api = Api::start(db).await;
    let bodies = [body(), json!({"role": "tester", "description": "Twice."})];
    let answers =
        join_all((0..100).map(|index| api.post_once("k", "/tasks", &bodies[index % 2]))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert_eq!((made.len(), refused.len()), (50, 50));
    assert!(made.iter().all(|it| it.body == made[0].body));
    assert!(
        refused.iter().all(|it| it.status == 422 && it.text("code") == "idempotency_key_reused")
    );
    assert_eq!(tasks(&api).await, 1);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_after_a_restart_gets_the_first_answer() {
    let mut api = Api::start(testkit::TestStore::postgres().await).await;
    let first = api.post_once("k", "/tasks", &body()).await.expect(201);
    api.restart().await;
    let again = api.post_once("k", "/tasks", &body()).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    assert_eq!(tasks(&api).await, 1);
}

on_both_stores!(
    a_repetition_gets_the_first_answer_even_when_things_have_changed,
    |db| async move {
        let api = Api::start(db).await;
        let first = api.post_once("k", "/tasks", &body()).await.expect(201);
        api.complete(first.id()).await;
        let again = api.post_once("k", "/tasks", &body()).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, first.body);
    }
);

on_both_stores!(a_key_that_came_with_another_request_is_refused, |db| async move {
    let api = Api::start(db).await;
    api.post_once("k", "/tasks", &body()).await.expect(201);
    let other = json!({"role": "tester", "description": "Twice."});
    api.post_once("k", "/tasks", &other).await.refused(422, "idempotency_key_reused");
    let run = json!({"goal": "x", "workflow": "single"});
    api.post_once("k", "/runs", &run).await.refused(422, "idempotency_key_reused");
    assert_eq!(tasks(&api).await, 1);
});

on_both_stores!(every_creation_can_be_made_once, |db| async move {
    let api = Api::start(db).await;
    let schedule = json!({
        "name": "s", "cadence": {"kind": "interval", "everyMs": 60_000}, "enabled": false,
        "target": {"kind": "roles", "roles": ["tester"], "description": "x"},
    });
    let schedule = api.post("/schedules", schedule).await.expect(201);
    let trigger = format!("/schedules/{}/trigger", schedule.id());
    for (index, (path, body, status)) in [
        ("/tasks", body(), 201),
        ("/tasks/batch", json!({"tasks": [body(), body()]}), 201),
        ("/runs", json!({"goal": "x", "workflow": "single"}), 201),
        ("/events", json!({"kind": "PUSH"}), 202),
        ("/events", json!({"kind": "CI_STATUS", "status": "success"}), 202),
        (&*trigger, Value::Null, 201),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{index}");
        let first = api.post_once(&key, path, &body).await.expect(status);
        let again = api.post_once(&key, path, &body).await.expect(status);
        assert_eq!(first.body, again.body, "{path}");
        assert_eq!(first.header("location"), again.header("location"), "{path}");
        let replayed = [first.header("idempotency-replayed"), again.header("idempotency-replayed")];
        assert_eq!(replayed, ["", "true"], "{path}");
    }
    assert_eq!(api.get("/runs").await.body["items"].as_array().unwrap().len(), 5);
});

on_both_stores!(a_refused_request_does_not_use_up_its_key, |db| async move {
    let api = Api::start(db).await;
    let taken =
        json!({"id": "0197f1de-0000-7000-8000-000000000001", "role": "tester", "description": "x"});
    let first = api.post("/tasks", taken.clone()).await.expect(201);
    api.post_once("k", "/tasks", &taken).await.refused(409, "id_exists");
    api.delete(&format!("/tasks/{}", first.id())).await.expect(204);
    api.post_once("k", "/tasks", &taken).await.expect(201);
});

on_both_stores!(keys_of_different_clients_do_not_meet, |db| async move {
    let api = Api::start_with(db, Settings { auth: Auth::Required, ..settings() }).await;
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let bearer = format!("Bearer {}", api.key(&[Scope::Write]).await);
        let headers = [("Authorization", &*bearer), ("Idempotency-Key", "k")];
        let answer =
            api.send(Method::POST, "/tasks", &headers, Some(body().to_string())).await.expect(201);
        ids.insert(answer.id().to_owned());
    }
    assert_eq!(ids.len(), 2);
});

on_both_stores!(a_key_that_is_none_is_refused, |db| async move {
    let api = Api::start(db).await;
    for key in ["", "a b", &"x".repeat(256)] {
        let refused = api.post_once(key, "/tasks", &body()).await.refused(400, "invalid_header");
        assert_eq!(refused.fields(), ["Idempotency-Key"], "{key:?}");
    }
    assert_eq!(tasks(&api).await, 0);
});
