//! Servers that refuse, break off, hang or never end.

use super::{
    server::{FakeServer, Part, head},
    *,
};

#[tokio::test]
async fn a_bad_status_says_what_the_caller_can_do() {
    let refused = "the model server refused the request with status";
    status(
        "401 No",
        "",
        r#"{"error":{"message":"bad key sk-canary"}}"#,
        false,
        &format!("{refused} 401: bad key [key]"),
    )
    .await;
    status(
        "404 No",
        "",
        r#"{"error":"model 'small' not found"}"#,
        false,
        &format!("{refused} 404: model 'small' not found"),
    )
    .await;
    status("400 Bad", "", "<html>\n\tno", false, &format!("{refused} 400: <html> no")).await;
    status("403 No", "", "", false, &format!("{refused} 403: (no message)")).await;
    status(
        "500 Oops",
        "",
        r#"[{"error":{"message":"oops"}}]"#,
        true,
        "the model server failed with status 500: oops",
    )
    .await;
    status(
        "503 Busy",
        "",
        r#"{"error":{"code":1}}"#,
        true,
        r#"the model server failed with status 503: {"code":1}"#,
    )
    .await;
    status(
        "503 Busy",
        "retry-after: 3\r\n",
        "",
        true,
        "the model server asks for patience (status 503)",
    )
    .await;
    status("429 Slow", "", "", true, "the model server asks for patience (status 429)").await;
    let redirected = "the model server answered with a redirect (status 307); redirects are off: set the final URL";
    status("307 Go", "location: http://169.254.169.254/\r\n", "", false, redirected).await;
    let long = "the request exceeds the available context size";
    let body = format!(r#"{{"error":{{"code":400,"message":"{long}"}}}}"#);
    let exceeded =
        format!("the conversation does not fit the model's context (status 400): {long}");
    status("400 Long", "", &body, false, &exceeded).await;
}

async fn status(status: &str, headers: &str, body: &str, retryable: bool, message: &str) {
    let parts = vec![head(status, "application/json", headers), Part::Bytes(body.into())];
    let server = FakeServer::start([parts]).await;
    let client = Client::new(settings(&server.url, WireFormat::OpenAi)).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_retryable()), (message, retryable));
}

#[tokio::test]
async fn a_wish_for_patience_is_handed_on() {
    let parts = vec![head("429 Slow", "text/plain", "Retry-After: 7\r\n")];
    let server = FakeServer::start([parts]).await;
    let client = Client::new(settings(&server.url, WireFormat::Ollama)).unwrap();
    let error = ask(&client).await.unwrap_err();
    let seven = Some(Duration::from_secs(7));
    assert!(
        matches!(error, Error::RateLimited { status: 429, retry_after } if retry_after == seven),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_broken_answer_ends_with_a_typed_error() {
    let start = &OLLAMA[..OLLAMA.find('\n').unwrap() + 1];
    broken(start.as_bytes(), "interrupted").await;
    broken(&OLLAMA.as_bytes()[..20], "malformed").await;
    broken(b"", "interrupted").await;
    broken(b"{\"error\":\"out of memory near sk-canary\"}\n", "interrupted").await;
    broken(b"{\"message\":{\"content\":\"\xff\xfe\"},\"done\":false}\n", "malformed").await;
    broken(b"not json\n", "malformed").await;
    broken(b"{\"done\":\"sk-canary\"}\n", "malformed").await;
    broken(&b"[".repeat(50_000), "malformed").await;
    broken(&b" ".repeat(200_000), "too_large").await;
}

async fn broken(body: &[u8], name: &str) {
    let parts = vec![head("200 OK", "application/x-ndjson", ""), Part::Bytes(body.to_vec())];
    let server = FakeServer::start([parts]).await;
    let client = Client::new(settings(&server.url, WireFormat::Ollama)).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(error.name(), name, "{error}");
    assert!(!error.to_string().contains(KEY), "{error}");
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_limit_of_bytes() {
    for format in [WireFormat::Ollama, WireFormat::OpenAi] {
        let parts = vec![head("200 OK", "text/event-stream", ""), Part::Flood(vec![b'x'; 8192])];
        let server = FakeServer::start([parts]).await;
        let client = Client::new(settings(&server.url, format)).unwrap();
        assert_eq!(ask(&client).await.unwrap_err().name(), "too_large");
    }
}

#[tokio::test]
async fn every_wait_has_its_limit() {
    let short = Duration::from_millis(60);
    let begun = || vec![head("200 OK", "application/x-ndjson", ""), Part::Bytes(b"{".to_vec())];
    let with = |more| begun().into_iter().chain([more]).collect::<Vec<_>>();
    late(vec![Part::Hang], Limits { first_byte: short, ..limits() }, Phase::FirstByte).await;
    late(
        vec![head("200 OK", "application/x-ndjson", ""), Part::Hang],
        Limits { first_byte: short, ..limits() },
        Phase::FirstByte,
    )
    .await;
    late(with(Part::Hang), Limits { idle: short, ..limits() }, Phase::Idle).await;
    late(with(Part::Hang), Limits { total: short, ..limits() }, Phase::Total).await;
    late(with(Part::Dribble), Limits { total: short, ..limits() }, Phase::Total).await;
    // An error's body may hang as well.
    late(
        vec![head("500 Oops", "text/plain", ""), Part::Hang],
        Limits { total: short, ..limits() },
        Phase::Total,
    )
    .await;
}

async fn late(parts: Vec<Part>, limits: Limits, expected: Phase) {
    let server = FakeServer::start([parts]).await;
    let client =
        Client::new(ClientSettings { limits, ..settings(&server.url, WireFormat::Ollama) })
            .unwrap();
    let error = ask(&client).await.unwrap_err();
    let short = Duration::from_millis(60);
    assert!(
        matches!(error, Error::Timeout { phase, after } if phase == expected && after == short),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let nobody = FakeServer::start([]).await.url;
    let error =
        ask(&Client::new(settings(&nobody, WireFormat::Ollama)).unwrap()).await.unwrap_err();
    let message = format!(
        "the model server at {nobody} cannot be reached: Connection refused (os error 111)"
    );
    assert_eq!(error.to_string(), message);
}
