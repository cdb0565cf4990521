//! What is refused, and how it is said.

use serde_json::{Value, json};

use crate::client::{Answer, Server};

fn post(path: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// Status, code and the first wrong field.
fn summary(answer: &Answer) -> (u16, Value, Value) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status);
    (answer.status, problem["code"].clone(), problem["errors"][0]["field"].clone())
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_its_code_and_field() {
    let server = Server::with_routes();
    let json = "application/json";
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(64));
    let chunked = "POST /notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
                   46\r\n{\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}\r\n0\r\n\r\n";
    let table = [
        (get("/nowhere"), 404, "no_such_path", Value::Null),
        (
            "DELETE /notes HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            405,
            "method_not_allowed",
            Value::Null,
        ),
        (
            "DELETE /notes/1 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            405,
            "method_not_allowed",
            Value::Null,
        ),
        (get("/notes/one"), 400, "invalid_path", json!("id")),
        (get("/notes?limit=x"), 400, "invalid_query", json!("limit")),
        (get("/notes?limit=1&limit=2"), 400, "invalid_query", json!("limit")),
        (get("/notes?lim=1"), 400, "invalid_query", json!("lim")),
        (post("/notes", json, r#"{"text":"a","txt":"b"}"#), 400, "invalid_body", json!("txt")),
        (post("/notes", json, r#"{"text":7}"#), 400, "invalid_body", json!("text")),
        (post("/notes", json, r#"{"text":"a","tags":[[[]]]}"#), 400, "invalid_json", Value::Null),
        (post("/notes", json, "{"), 400, "invalid_json", Value::Null),
        (post("/notes", json, ""), 400, "invalid_json", Value::Null),
        (
            post("/notes", "text/plain", r#"{"text":"a"}"#),
            415,
            "unsupported_media_type",
            Value::Null,
        ),
        (post("/notes", json, &long), 413, "body_too_large", Value::Null),
        (chunked.to_owned(), 413, "body_too_large", Value::Null),
        (post("/dispatch", "text/plain", "x"), 415, "unsupported_media_type", Value::Null),
        (get("/bare"), 502, "bad_gateway", Value::Null),
        (get("/foreign"), 404, "not_found", Value::Null),
        (get("/panic"), 500, "internal", Value::Null),
    ];
    for (request, status, code, field) in table {
        let answer = server.ask(&request).await;
        assert_eq!(summary(&answer), (status, json!(code), field), "{request}");
    }
}

#[tokio::test]
async fn what_is_right_is_taken() {
    let server = Server::with_routes();
    let check = async |request: String, status, body: &str| {
        let answer = server.ask(&request).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{request}");
    };
    check(post("/notes", "application/json", r#"{"text":"a"}"#), 201, r#"{"text":"a","tags":[]}"#)
        .await;
    check(get("/notes?limit=7"), 200, "7").await;
    check(get("/notes/12"), 200, "12").await;
    check(post("/dispatch", "application/json", ""), 200, "none").await;
    check(post("/dispatch", "application/json", r#"{"text":"now"}"#), 200, "now").await;
    check("POST /dispatch HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 200, "none").await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let server = Server::with_routes();
    let mut client = server.connect().await;
    client.send("POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: 26214401\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    client.closed().await;
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_headers_that_keep_browsers_careful() {
    let server = Server::with_routes();
    let given = server.ask("GET /id HTTP/1.1\r\nhost: x\r\nx-request-id: mine-1\r\n\r\n").await;
    assert_eq!((given.body.as_str(), given.header("x-request-id")), ("mine-1", Some("mine-1")));
    let made = server.ask("GET /id HTTP/1.1\r\nhost: x\r\nx-request-id: a\"b\r\n\r\n").await;
    assert_eq!(Some(made.body.as_str()), made.header("x-request-id"));
    assert_eq!(made.body.len(), 36);
    for path in ["/id", "/nowhere", "/panic"] {
        let answer = server.ask(&get(path)).await;
        assert!(answer.header("x-request-id").is_some(), "{path}");
        let headers = ["x-content-type-options", "x-frame-options", "cache-control"]
            .map(|name| answer.header(name));
        assert_eq!(headers, [Some("nosniff"), Some("DENY"), Some("no-store")], "{path}");
    }
}

#[tokio::test]
async fn a_resource_tells_its_methods_and_a_panic_ends_nothing_but_its_request() {
    let server = Server::with_routes();
    let refused = server.ask("PUT /notes HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, POST")));
    let mut client = server.connect().await;
    client.send(&get("/panic")).await;
    assert_eq!(client.answer().await.status, 500);
    client.send(&get("/id")).await;
    assert_eq!(client.answer().await.status, 200);
}
