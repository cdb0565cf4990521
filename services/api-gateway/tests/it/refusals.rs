use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both_stores;

use crate::api::Api;

on_both_stores!(the_field_that_is_wrong_is_named, |db| async move {
    let api = Api::start(db).await;
    let with = |field: &str, value: Value| {
        let mut body = json!({"role": "tester", "description": "x"});
        body[field] = value;
        body
    };
    for (body, status, code, field) in [
        (json!({}), 400, "invalid_body", "role"),
        (json!({"role": "tester"}), 400, "invalid_body", "description"),
        (with("bogus", json!(1)), 400, "invalid_body", "bogus"),
        (with("role", json!("boss")), 400, "invalid_body", "role"),
        (with("kind", json!("plan")), 400, "invalid_body", "kind"),
        (with("id", json!("x")), 400, "invalid_body", "id"),
        (with("payload", json!([])), 400, "invalid_body", "payload"),
        (with("metadata", json!("x")), 400, "invalid_body", "metadata"),
        (with("dependsOn", json!(["x"])), 400, "invalid_body", "dependsOn[0]"),
        (with("description", json!("")), 422, "invalid_field", "description"),
        (with("description", json!("é".repeat(65_537))), 422, "invalid_field", "description"),
        (with("priority", json!(10)), 422, "invalid_field", "priority"),
        (with("maxAttempts", json!(0)), 422, "invalid_field", "maxAttempts"),
        (with("maxAttempts", json!(101)), 422, "invalid_field", "maxAttempts"),
        (with("repository", json!("ssh://x/y")), 422, "invalid_field", "repository"),
        (with("goal", json!("")), 422, "invalid_field", "goal"),
    ] {
        let refused = api.post("/tasks", body.clone()).await.refused(status, code);
        assert_eq!(refused.fields(), [field], "{body}");
        let pointer = refused.body["errors"][0]["pointer"].as_str().unwrap();
        assert_eq!(pointer, format!("#/{}", field.replace('[', "/").replace(']', "")), "{body}");
    }
    api.post("/tasks", with("description", json!("é".repeat(65_536)))).await.expect(201);
    api.post("/tasks", with("payload", json!(null))).await.expect(201);
    api.post("/tasks", with("priority", json!(7.0))).await.expect(201);
    api.post("/tasks", with("priority", json!(7.5))).await.refused(400, "invalid_body");
});

on_both_stores!(what_is_no_json_is_refused, |db| async move {
    let api = Api::start(db).await;
    let post = async |headers: &[(&str, &str)], body: &str| {
        api.send(Method::POST, "/tasks", headers, Some(body.to_owned())).await
    };
    post(&[], "").await.refused(400, "invalid_json");
    post(&[], "{").await.refused(400, "invalid_json");
    post(&[], "{} {}").await.refused(400, "invalid_body");
    post(&[], r#"{"role":"tester","description":"a\u0000b"}"#).await.refused(400, "invalid_json");
    post(&[("Content-Type", "text/plain")], "{}").await.refused(415, "unsupported_media_type");
    post(&[("Content-Encoding", "gzip")], "{}").await.refused(415, "unsupported_media_type");
    api.order("/tasks").await.refused(415, "unsupported_media_type");
});

on_both_stores!(ids_methods_and_paths_that_are_none_are_refused, |db| async move {
    let api = Api::start(db).await;
    for path in ["/tasks/x", "/runs/x", "/schedules/x"] {
        let refused = api.get(path).await.refused(400, "invalid_path");
        assert_eq!(refused.fields(), ["id"], "{path}");
    }
    for path in ["/", "/nowhere", "/tasks/x/y/z", "/tasks/"] {
        api.get(path).await.refused(404, "no_such_path");
    }
    for (path, allow) in [
        ("/tasks", "GET, POST"),
        ("/tasks/batch", "POST"),
        ("/schedules/0197f1de-0000-7000-8000-000000000000", "GET, PUT, PATCH, DELETE"),
        ("/health", "GET"),
    ] {
        let refused =
            api.send(Method::OPTIONS, path, &[], None).await.refused(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), allow, "{path}");
    }
});

on_both_stores!(a_database_that_is_gone_is_told_and_worth_another_try, |db| async move {
    let api = Api::start(db).await;
    if api.db.args.database_url.is_none() {
        return;
    }
    api.db.sql("ALTER TABLE tasks RENAME TO tasks_gone").await;
    let failed = api.get("/tasks").await.refused(500, "internal");
    assert!(
        !failed.body.to_string().contains("tasks_gone"),
        "causes are not sent: {}",
        failed.body
    );
});
