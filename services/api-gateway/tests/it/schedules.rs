use serde_json::{Value, json};
use testkit::on_both_stores;

use crate::api::Api;

fn nightly() -> Value {
    json!({
        "name": "nightly",
        "cadence": {"kind": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"},
        "target": {"kind": "roles", "roles": ["architect", "tester"], "description": "Look at it."},
        "repository": "o/n",
    })
}

on_both_stores!(a_schedule_is_made_read_changed_and_deleted, |db| async move {
    let api = Api::start(db).await;
    let made = api.post("/schedules", nightly()).await.expect(201);
    let path = format!("/schedules/{}", made.id());
    assert_eq!(made.header("location"), path);
    for (field, value) in nightly().as_object().unwrap() {
        assert_eq!(&made.body[field], value, "{field}");
    }
    assert_eq!([&made.body["catchUp"], &made.body["enabled"]], [&json!("latest"), &json!(true)]);
    assert!(made.body["nextAt"].is_string(), "{}", made.body);
    assert_eq!(api.get(&path).await.expect(200).body, made.body);
    assert_eq!(api.get("/schedules").await.expect(200).body, json!({"items": [made.body]}));

    let patched = api.patch(&path, json!({"enabled": false, "catchUp": "skip"})).await.expect(200);
    assert_eq!(
        [&patched.body["enabled"], &patched.body["catchUp"]],
        [&json!(false), &json!("skip")]
    );
    assert_eq!([&patched.body["name"], &patched.body["nextAt"]], [&json!("nightly"), &Value::Null]);

    let hourly = json!({
        "name": "hourly", "cadence": {"kind": "interval", "everyMs": 3_600_000},
        "target": {"kind": "workflow", "workflow": "single", "goal": "Look."},
    });
    let replaced = api.put(&path, hourly.clone()).await.expect(200);
    for (field, value) in hourly.as_object().unwrap() {
        assert_eq!(&replaced.body[field], value, "{field}");
    }
    assert_eq!(
        [&replaced.body["repository"], &replaced.body["enabled"]],
        [&Value::Null, &json!(true)]
    );

    api.delete(&path).await.expect(204);
    api.delete(&path).await.refused(404, "schedule_not_found");
    api.get(&path).await.refused(404, "schedule_not_found");
    api.put(&path, hourly).await.refused(404, "schedule_not_found");
    api.patch(&path, json!({})).await.refused(404, "schedule_not_found");
    api.order(&format!("{path}/trigger")).await.refused(404, "schedule_not_found");
});

on_both_stores!(no_two_schedules_have_the_same_name, |db| async move {
    let api = Api::start(db).await;
    api.post("/schedules", nightly()).await.expect(201);
    let refused = api.post("/schedules", nightly()).await.refused(409, "name_taken");
    assert_eq!(refused.fields(), ["name"]);
    let other =
        json!({"name": "other", "cadence": nightly()["cadence"], "target": nightly()["target"]});
    let other = api.post("/schedules", other).await.expect(201);
    let path = format!("/schedules/{}", other.id());
    api.patch(&path, json!({"name": "nightly"})).await.refused(409, "name_taken");
    api.put(&path, nightly()).await.refused(409, "name_taken");
});

on_both_stores!(a_schedule_that_could_not_fire_is_refused, |db| async move {
    let api = Api::start(db).await;
    let with = |field: &str, value: Value| {
        let mut body = nightly();
        body[field] = value;
        body
    };
    let target = |kind: Value| with("target", kind);
    for (body, field) in [
        (with("name", json!("")), "name"),
        (with("cadence", json!({"kind": "interval", "everyMs": 999})), "cadence.everyMs"),
        (with("cadence", json!({"kind": "interval", "everyMs": i64::MAX})), "cadence.everyMs"),
        (with("cadence", json!({"kind": "cron", "expression": "at noon"})), "cadence.expression"),
        (
            with("cadence", json!({"kind": "cron", "expression": "0 3 * * *", "timezone": "Mars"})),
            "cadence.timezone",
        ),
        (with("repository", json!("git@x:y")), "repository"),
        (target(json!({"kind": "roles", "roles": [], "description": "x"})), "target.roles"),
        (
            target(json!({"kind": "roles", "roles": ["tester"], "description": ""})),
            "target.description",
        ),
        (target(json!({"kind": "workflow", "workflow": "single", "goal": ""})), "target.goal"),
    ] {
        let refused = api.post("/schedules", body.clone()).await.refused(422, "invalid_field");
        assert_eq!(refused.fields(), [field], "{body}");
    }
    let grow = json!({
        "name": "g", "cadence": {"kind": "interval", "everyMs": 1_000},
        "target": {"kind": "workflow", "workflow": "grow", "goal": "Grow."},
    });
    let refused = api.post("/schedules", grow.clone()).await.refused(422, "invalid_field");
    assert_eq!(refused.fields(), ["repository"]);
    let mut without = nightly();
    without["repository"] = Value::Null;
    let made = api.post("/schedules", without).await.expect(201);
    let patch = json!({"target": grow["target"]});
    let refused = api
        .patch(&format!("/schedules/{}", made.id()), patch)
        .await
        .refused(409, "needs_repository");
    assert_eq!(refused.fields(), ["repository"]);
    let unknown = with("cadence", json!({"kind": "interval", "everyMs": 1_000, "jitter": 1}));
    api.post("/schedules", unknown).await.refused(400, "invalid_body");
});

on_both_stores!(a_schedule_is_triggered_beside_its_slots, |db| async move {
    let api = Api::start(db).await;
    let made = api.post("/schedules", nightly()).await.expect(201);
    let run = api.order(&format!("/schedules/{}/trigger", made.id())).await.expect(201);
    assert_eq!(run.header("location"), format!("/runs/{}", run.id()));
    assert_eq!(
        [&run.body["source"]["kind"], &run.body["source"]["scheduleId"]],
        [&json!("schedule"), &json!(made.id())]
    );
    let tasks = api.get(&format!("/runs/{}/tasks", run.id())).await.body;
    let roles: Vec<_> =
        tasks["items"].as_array().unwrap().iter().map(|it| it["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["architect", "tester"]);
});

on_both_stores!(an_expression_that_is_none_or_never_fires_is_refused, |db| async move {
    let api = Api::start(db).await;
    // More bytes than characters: as long as may be in one, too long in the other.
    for expression in
        ["ä".repeat(130), "0 0 30 2 *".to_owned(), String::new(), "* * * *".to_owned()]
    {
        let body = json!({
            "name": "s", "cadence": {"kind": "cron", "expression": expression},
            "target": {"kind": "roles", "roles": ["tester"], "description": "x"},
        });
        let refused = api.post("/schedules", body).await.refused(422, "invalid_field");
        assert!(refused.fields().contains(&"cadence.expression"), "{}", refused.body);
    }
});
