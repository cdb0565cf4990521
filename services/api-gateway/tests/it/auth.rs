use std::collections::BTreeSet;

use api_gateway::settings::{Auth, GatewayArgs, Settings};
use chrono::{TimeDelta, Utc};
use domain::access::Scope;
use reqwest::Method;
use serde_json::Value;
use testkit::on_both_stores;

use crate::api::{Answer, Api, settings};

fn required() -> Settings {
    Settings { auth: Auth::Required, ..settings() }
}

async fn ask(api: &Api, method: &str, path: &str, key: Option<&str>) -> Answer {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
    let body = matches!(method, "POST" | "PUT" | "PATCH").then(|| "{}".to_owned());
    let path = path.replace("{id}", "0197f1de-0000-7000-8000-000000000000");
    api.send(method.parse::<Method>().unwrap(), &path, &headers, body).await
}

/// Every operation of the description: method, path, and the scope that it needs, if it needs one.
async fn operations(api: &Api) -> Vec<(String, String, Option<Scope>)> {
    let document = api.get("/openapi.json").await.expect(200).body;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope =
                operation["security"][0]["apiKey"][0].as_str().map(|it| it.parse().unwrap());
            operations.push((method.to_uppercase(), path.clone(), scope));
        }
    }
    operations
}

on_both_stores!(
    each_operation_is_open_to_those_with_its_scope_and_to_nobody_else,
    |db| async move {
        let api = Api::start_with(db, required()).await;
        let mut keys = Vec::new();
        for scope in Scope::ALL {
            keys.push((*scope, api.key(&[*scope]).await));
        }
        let all = [Scope::Read, Scope::Write, Scope::Approve, Scope::Admin];
        let (expired, _) = api.key_until(&all, Some(Utc::now() - TimeDelta::seconds(1))).await;
        let (revoked, key) = api.key_until(&all, None).await;
        api.db.store.revoke_api_key(key.id).await.unwrap();
        let operations = operations(&api).await;
        assert!(operations.len() > 40, "{}", operations.len());
        let mut cells = 0;
        for (method, path, needed) in &operations {
            let Some(needed) = needed else {
                ask(&api, method, path, None).await.expect(200);
                continue;
            };
            let refused = ask(&api, method, path, None).await.refused(401, "missing_key");
            assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"orchestrator\"");
            for ended in ["orch_bogus", &expired, &revoked] {
                let refused =
                    ask(&api, method, path, Some(ended)).await.refused(401, "invalid_key");
                assert!(refused.header("www-authenticate").contains("invalid_token"));
                cells += 1;
            }
            for (scope, key) in &keys {
                let answer = ask(&api, method, path, Some(key)).await;
                cells += 1;
                if scope == needed || *scope == Scope::Admin {
                    assert!(
                        !matches!(answer.status, 401 | 403 | 500),
                        "{method} {path} {scope}: {}",
                        answer.body
                    );
                } else {
                    answer.refused(403, "insufficient_scope");
                }
            }
        }
        assert!(cells > 270, "{cells}");
    }
);

on_both_stores!(what_is_not_described_is_open_to_nobody, |db| async move {
    let api = Api::start_with(db, required()).await;
    let admin = api.key(&[Scope::Admin]).await;
    let operations = operations(&api).await;
    let paths: BTreeSet<&str> = operations.iter().map(|it| it.1.as_str()).collect();
    let mut cells = 0;
    for path in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LINK"]
        {
            if operations.iter().any(|it| (it.0.as_str(), it.1.as_str()) == (method, path)) {
                continue;
            }
            for key in [None, Some(admin.as_str())] {
                let answer = ask(&api, method, path, key).await;
                // The probes answer HEAD as GET.
                let is_probe = method == "HEAD" && answer.status == 200;
                assert!(
                    matches!(answer.status, 401 | 404 | 405) || is_probe,
                    "{method} {path}: {answer:?}"
                );
                cells += 1;
            }
        }
    }
    for path in ["/", "/keys", "/tasks/", "//tasks", "/TASKS", "/tasks;x"] {
        let answer = ask(&api, "GET", path, Some(&admin)).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
    }
    assert!(cells > 300, "{cells}");
});

on_both_stores!(a_key_that_ended_is_refused, |db| async move {
    let args = GatewayArgs { api_key_cache_ms: 0, ..settings().args };
    let api = Api::start_with(db, Settings { args, ..required() }).await;
    let (expired, _) =
        api.key_until(&[Scope::Read], Some(Utc::now() - TimeDelta::seconds(1))).await;
    ask(&api, "GET", "/tasks", Some(&expired)).await.refused(401, "invalid_key");
    let (secret, key) = api.key_until(&[Scope::Read], Some(Utc::now() + TimeDelta::hours(1))).await;
    ask(&api, "GET", "/tasks", Some(&secret)).await.expect(200);
    api.db.store.revoke_api_key(key.id).await.unwrap();
    ask(&api, "GET", "/tasks", Some(&secret)).await.refused(401, "invalid_key");
});

on_both_stores!(a_well_formed_secret_that_nobody_made_is_refused, |db| async move {
    use secrecy::ExposeSecret;
    let api = Api::start_with(db, required()).await;
    let (secret, _) = api_gateway::keys::generate();
    for _ in 0..2 {
        ask(&api, "GET", "/tasks", Some(secret.expose_secret())).await.refused(401, "invalid_key");
    }
});

on_both_stores!(other_ways_to_say_who_asks_are_refused, |db| async move {
    let api = Api::start_with(db, required()).await;
    let key = api.key(&[Scope::Admin]).await;
    for value in [format!("Basic {key}"), key.clone(), format!("Bearer {key} {key}")] {
        let headers = [("Authorization", value.as_str())];
        api.send(Method::GET, "/tasks", &headers, None).await.refused(401, "invalid_authorization");
    }
    let path = format!("/tasks?access_token={key}");
    api.get(&path).await.refused(401, "missing_key");
});

on_both_stores!(the_use_of_a_key_is_noted, |db| async move {
    let api = Api::start_with(db, required()).await;
    let (secret, key) = api.key_until(&[Scope::Read], None).await;
    ask(&api, "GET", "/tasks", Some(&secret)).await.expect(200);
    testkit::eventually("the last use is noted", async || {
        let keys = api.db.store.list_api_keys().await.unwrap();
        keys.into_iter().find(|it| it.id == key.id && it.last_used_at.is_some())
    })
    .await;
});

on_both_stores!(whoever_asks_too_often_waits, |db| async move {
    let args = GatewayArgs { rate_limit_per_second: 1, rate_limit_burst: 5, ..settings().args };
    let api = Api::start_with(db, Settings { args, ..required() }).await;
    let (one, other) = (api.key(&[Scope::Read]).await, api.key(&[Scope::Read]).await);
    let mut refused = 0;
    for _ in 0..8 {
        let answer = ask(&api, "GET", "/agents", Some(&one)).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
            answer.refused(429, "too_many_requests");
            refused += 1;
        }
    }
    assert!(refused >= 2, "{refused}");
    ask(&api, "GET", "/agents", Some(&other)).await.expect(200);
    let statuses: Vec<u16> = {
        let mut statuses = Vec::new();
        for _ in 0..8 {
            statuses.push(ask(&api, "GET", "/agents", None).await.status);
        }
        statuses
    };
    assert!(statuses.contains(&429), "{statuses:?}");
});

on_both_stores!(a_secret_is_in_no_answer, |db| async move {
    let api = Api::start_with(db, required()).await;
    let key = api.key(&[Scope::Write]).await;
    for (method, path) in [("GET", "/tasks"), ("POST", "/tasks"), ("GET", "/metrics")] {
        let answer = ask(&api, method, path, Some(&key)).await;
        let told = format!("{:?} {}", answer.headers, Value::to_string(&answer.body));
        assert!(!told.contains(&key), "{method} {path}");
    }
});
