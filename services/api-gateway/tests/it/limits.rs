use api_gateway::settings::{GatewayArgs, Settings};
use reqwest::Method;
use serde_json::json;
use testkit::on_both_stores;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::api::{Api, settings};

on_both_stores!(a_body_has_a_size_that_differs_for_batches, |db| async move {
    let args =
        GatewayArgs { max_body_bytes: 2_000, max_batch_body_bytes: 10_000, ..settings().args };
    let api = Api::start_with(db, Settings { args, ..settings() }).await;
    let task = |size: usize| json!({"role": "tester", "description": "x".repeat(size)});
    api.post("/tasks", task(1_900)).await.expect(201);
    let refused = api.post("/tasks", task(2_000)).await.refused(413, "body_too_large");
    assert!(refused.text("detail").contains("2000"), "{}", refused.body);
    let batch = |size: usize| json!({"tasks": [task(size)]});
    api.post("/tasks/batch", batch(9_000)).await.expect(201);
    api.post("/tasks/batch", batch(10_000)).await.refused(413, "body_too_large");
});

on_both_stores!(payload_and_metadata_have_a_size, |db| async move {
    let api = Api::start(db).await;
    let task = |field: &str, size: usize| json!({"role": "tester", "description": "x", field: {"a": "x".repeat(size)}});
    for field in ["payload", "metadata"] {
        api.post("/tasks", task(field, 262_144 - 8)).await.expect(201);
        let refused =
            api.post("/tasks", task(field, 262_144 - 7)).await.refused(422, "invalid_field");
        assert_eq!(refused.fields(), [field]);
    }
});

on_both_stores!(json_has_a_depth, |db| async move {
    let api = Api::start(db).await;
    let body = |depth: usize| {
        // The body and the payload are two levels.
        let deep = format!("{}{}", "[".repeat(depth - 2), "]".repeat(depth - 2));
        format!(r#"{{"role":"tester","description":"x","payload":{{"a":{deep}}}}}"#)
    };
    let post = async |depth: usize| api.send(Method::POST, "/tasks", &[], Some(body(depth))).await;
    post(32).await.expect(201);
    post(33).await.refused(400, "invalid_json");
    post(100_000).await.refused(400, "invalid_json");
});

on_both_stores!(a_body_that_comes_too_slowly_is_cut_off, |db| async move {
    let deadlines =
        web::BodyDeadlines { idle_ms: 50, total_ms: 200, min_bytes_per_second: 1_000_000 };
    let api = Api::start_with(db, Settings { deadlines, ..settings() }).await;
    let address = api.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
});
