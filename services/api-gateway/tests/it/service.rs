use serde_json::json;
use testkit::on_both_stores;

use crate::api::Api;

on_both_stores!(it_says_how_it_is, |db| async move {
    let api = Api::start(db).await;
    assert_eq!(api.get("/health").await.expect(200).body, json!({"status": "ok"}));
    let ready = api.get("/ready").await.expect(200).body;
    let store = if api.db.args.database_url.is_some() { "postgres" } else { "sqlite" };
    let checks = json!([{"name": store, "ok": true}, {"name": "queue", "ok": true}]);
    assert_eq!(ready, json!({"status": "ready", "checks": checks}));
});

on_both_stores!(a_schema_of_another_version_is_not_ready, |db: testkit::TestStore| async move {
    db.store.revert_migration().await.unwrap();
    let api = Api::start(db).await;
    let answer = api.get("/ready").await.expect(503);
    let reason = answer.body["checks"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("orch migrate"), "{reason}");
});

on_both_stores!(what_was_created_is_counted, |db| async move {
    let api = Api::start(db).await;
    api.task().await;
    let text = api.open("/metrics", &[]).await.text().await.unwrap();
    for metric in [
        "orchestrator_tasks_created_total{role=\"tester\"}",
        "orchestrator_runs_started_total{workflow=\"single\"}",
    ] {
        assert!(text.contains(metric), "{metric} is not in\n{text}");
    }
});

on_both_stores!(the_team_is_listed_with_what_runs_it, |db| async move {
    let api = Api::start(db).await;
    let agents = api.get("/agents").await.expect(200).body;
    let items = agents["items"].as_array().unwrap();
    assert_eq!(items.len(), domain::registry::AGENTS.len());
    let tester = items.iter().find(|it| it["role"] == "tester").unwrap();
    assert_eq!(
        *tester,
        json!({
            "role": "tester", "purpose": "Reports what the checks say of a change.", "reads": ["repository", "diff"],
            "writes": [], "output": "test_report", "kinds": ["test", "single"], "executor": "local", "model": "small",
            "tools": ["rg"],
        })
    );
});

on_both_stores!(
    the_page_that_shows_the_description_loads_nothing_from_elsewhere,
    |db| async move {
        let api = Api::start(db).await;
        let page = api.open("/docs", &[]).await;
        assert_eq!(
            (page.status().as_u16(), page.headers()["location"].to_str().unwrap()),
            (308, "/docs/")
        );
        for file in ["", "swagger-initializer.js", "index.css"] {
            let answer = api.open(&format!("/docs/{file}"), &[]).await;
            assert_eq!(answer.status(), 200, "{file}");
            let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(policy.starts_with("default-src 'self';"), "{policy}");
            let text = answer.text().await.unwrap();
            let outside: Vec<_> = text
                .match_indices("://")
                .map(|(at, _)| &text[at.saturating_sub(8)..at + 3])
                .collect();
            assert!(outside.is_empty(), "{file}: {outside:?}");
        }
        let settings = api.open("/docs/swagger-initializer.js", &[]).await.text().await.unwrap();
        assert!(
            settings.contains("/openapi.json") && settings.contains("\"validatorUrl\": \"none\""),
            "{settings}"
        );
        assert_eq!(api.open("/docs/swagger-ui-bundle.js", &[]).await.status(), 200);
        api.get("/docs/nothing.js").await.refused(404, "no_such_path");
    }
);

on_both_stores!(every_answer_is_json_in_utf_8_and_not_kept, |db| async move {
    let api = Api::start(db).await;
    for path in ["/tasks", "/agents", "/openapi.json"] {
        let answer = api.get(path).await.expect(200);
        assert_eq!(
            (answer.header("content-type"), answer.header("cache-control")),
            ("application/json", "no-store"),
            "{path}"
        );
    }
});
