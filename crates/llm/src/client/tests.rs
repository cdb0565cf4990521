mod failures;
mod server;

use std::{net::IpAddr, sync::Mutex};

use serde_json::{Value, json};

use self::server::{FakeServer, Part, head};
use super::*;
use crate::{Finish, Message, MessageRole, PolicyKind, Schema, Usage};

const KEY: &str = "sk-canary";

fn limits() -> Limits {
    let long = Duration::from_secs(20);
    Limits { connect: long, first_byte: long, idle: long, total: long, response_bytes: 100_000 }
}

fn settings(url: &str, format: WireFormat) -> ClientSettings {
    rustls::crypto::ring::default_provider().install_default().ok();
    let allowed = ["localhost", "127.0.0.1", "::1", "model.internal"];
    ClientSettings {
        endpoint: Endpoint::parse(url).unwrap(),
        format,
        api_key: Some(KEY.into()),
        policy: Policy {
            kind: PolicyKind::Oss,
            allowed: allowed.map(|it| it.parse().unwrap()).into(),
            allow_hosted: false,
        },
        limits: limits(),
        context_tokens: 4096,
        concurrency: None,
    }
}

fn request() -> Request {
    Request {
        model: "small".to_owned(),
        messages: vec![Message { role: MessageRole::User, content: "Hé".into() }],
        temperature: 0.2,
        max_tokens: 800,
        schema: Some(Arc::new(Schema {
            name: "plan".to_owned(),
            value: json!({"type": "object"}),
        })),
    }
}

/// Asks; returns the reply (its latency left out, which differs) and the pieces that came.
async fn ask(client: &Client) -> Result<(Reply, Vec<String>), Error> {
    let mut tokens = Vec::new();
    let reply = client.complete(&request(), &mut |it: &str| tokens.push(it.to_owned())).await?;
    Ok((Reply { latency: Duration::ZERO, ..reply }, tokens))
}

fn hello(model: &str) -> (Reply, Vec<String>) {
    let reply = Reply {
        text: "Hello é".to_owned(),
        usage: Usage { tokens_in: 9, tokens_out: 2 },
        latency: Duration::ZERO,
        finish: Finish::Stop,
        model: model.to_owned(),
    };
    (reply, vec!["Hello".to_owned(), " é".to_owned()])
}

const OLLAMA: &str = concat!(
    r#"{"model":"small:latest","message":{"role":"assistant","content":"Hello"},"done":false}"#,
    "\n",
    r#"{"model":"small:latest","message":{"role":"assistant","content":" é"},"done":false}"#,
    "\n",
    r#"{"model":"small:latest","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":2}"#,
    "\n",
);

const OPENAI: &str = concat!(
    ": keep-alive\n\n",
    r#"data: {"model":"small","choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
    "\n\n",
    r#"data: {"model":"small","choices":[{"index":0,"delta":{"content":"Hello"}}]}"#,
    "\r\n\r\n",
    r#"data: {"model":"small","choices":[{"index":0,"delta":{"content":" é"},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"model":"small","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#,
    "\n\ndata: [DONE]\n\n",
);

#[tokio::test]
async fn ollama_is_asked_and_understood_in_its_own_format() {
    let mut server = FakeServer::start([server::answer("application/x-ndjson", OLLAMA)]).await;
    let client = Client::new(settings(&server.url, WireFormat::Ollama)).unwrap();
    assert_eq!(ask(&client).await.unwrap(), hello("small:latest"));
    let asked = server.request().await;
    assert_eq!(asked.line, "POST /api/chat HTTP/1.1");
    assert_eq!(
        serde_json::from_str::<Value>(&asked.body).unwrap(),
        json!({
            "model": "small",
            "messages": [{"role": "user", "content": "Hé"}],
            "stream": true,
            "format": {"type": "object"},
            "options": {"num_predict": 800, "temperature": 0.2, "num_ctx": 4096},
        })
    );
}

#[tokio::test]
async fn an_openai_compatible_server_is_asked_and_understood_in_its_own_format() {
    let mut server =
        FakeServer::start([server::answer("text/event-stream; charset=utf-8", OPENAI)]).await;
    let client = Client::new(settings(&format!("{}/v1/", server.url), WireFormat::OpenAi)).unwrap();
    assert_eq!(ask(&client).await.unwrap(), hello("small"));
    let asked = server.request().await;
    assert_eq!(asked.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(asked.header("authorization"), Some("Bearer sk-canary"));
    assert_eq!(
        serde_json::from_str::<Value>(&asked.body).unwrap(),
        json!({
            "model": "small",
            "messages": [{"role": "user", "content": "Hé"}],
            "stream": true,
            "stream_options": {"include_usage": true},
            "temperature": 0.2,
            "max_tokens": 800,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "schema": {"type": "object"}, "strict": true},
            },
        })
    );
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let whole = r#"{"model":"small","choices":[{"message":{"role":"assistant","content":"Hello é"},"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    let server = FakeServer::start([server::answer("application/json", whole)]).await;
    let client = Client::new(settings(&server.url, WireFormat::OpenAi)).unwrap();
    let (mut expected, _) = hello("small");
    expected.finish = Finish::Length;
    assert_eq!(ask(&client).await.unwrap(), (expected, vec!["Hello é".to_owned()]));
}

#[tokio::test]
async fn an_answer_is_read_wherever_the_network_splits_it() {
    for (format, kind, stream) in [
        (WireFormat::Ollama, "application/x-ndjson", OLLAMA),
        (WireFormat::OpenAi, "text/event-stream", OPENAI),
    ] {
        let mut parts = vec![head("200 OK", kind, "")];
        parts.extend(stream.as_bytes().chunks(1).map(|it| Part::Bytes(it.to_vec())));
        let server = FakeServer::start([parts]).await;
        let client = Client::new(settings(&server.url, format)).unwrap();
        assert_eq!(ask(&client).await.unwrap().0.text, "Hello é");
    }
}

/// A lookup that answers from a script, one list of addresses a time.
fn lookup(answers: &[&[&str]]) -> Lookup {
    let parse =
        |list: &&[&str]| list.iter().map(|it| it.parse::<IpAddr>().unwrap()).collect::<Vec<_>>();
    let answers = Mutex::new(answers.iter().map(parse).collect::<Vec<_>>());
    Arc::new(move |_name| {
        let answer = answers.lock().unwrap().remove(0);
        Box::pin(async move { Ok(answer) })
    })
}

#[tokio::test]
async fn the_address_that_is_dialled_is_the_one_that_was_checked() {
    let answer = || server::answer("application/x-ndjson", OLLAMA);
    let server = FakeServer::start([answer(), answer()]).await;
    let url = server.url.replace("127.0.0.1", "model.internal");
    // The second lookup names a stranger beside the good address, the third only strangers.
    let lookup =
        lookup(&[&["127.0.0.1"], &["8.8.8.8", "127.0.0.1"], &["8.8.8.8", "169.254.169.254"]]);
    let client = Client::with_lookup(settings(&url, WireFormat::Ollama), lookup).unwrap();
    assert!(ask(&client).await.is_ok());
    assert!(ask(&client).await.is_ok());
    let error = ask(&client).await.unwrap_err();
    let message = "policy oss does not allow model.internal at the address 8.8.8.8";
    assert_eq!((error.to_string().as_str(), error.is_retryable()), (message, false));
}

#[tokio::test]
async fn a_forbidden_server_is_refused_before_anything_is_sent() {
    let refused = |url| Client::new(settings(url, WireFormat::Ollama)).err().map(|it| it.name());
    assert_eq!(refused("https://api.openai.com"), Some("policy_violation"));
    assert_eq!(refused("http://10.0.0.1"), Some("policy_violation"));
}

#[tokio::test]
async fn a_probe_lists_the_models() {
    let tags = r#"{"models":[{"name":"small:latest"},{"name":"big"}]}"#;
    let list = r#"{"object":"list","data":[{"id":"small:latest"},{"id":"big"}]}"#;
    for (format, body, line) in [
        (WireFormat::Ollama, tags, "GET /api/tags HTTP/1.1"),
        (WireFormat::OpenAi, list, "GET /v1/models HTTP/1.1"),
    ] {
        let mut server = FakeServer::start([server::answer("application/json", body)]).await;
        let client = Client::new(settings(&server.url, format)).unwrap();
        assert_eq!(client.probe(limits().total).await.unwrap(), ["small:latest", "big"]);
        assert_eq!(server.request().await.line, line);
    }
}

#[tokio::test]
async fn a_probe_gives_up_at_its_limit() {
    let server = FakeServer::start([vec![Part::Hang]]).await;
    let client = Client::new(settings(&server.url, WireFormat::Ollama)).unwrap();
    assert_eq!(client.probe(Duration::from_millis(50)).await.unwrap_err().name(), "timeout");
}

#[tokio::test]
async fn requests_wait_for_their_turn() {
    let (release, held) = tokio::sync::oneshot::channel();
    let mut first = vec![Part::Until(held)];
    first.extend(server::answer("application/x-ndjson", OLLAMA));
    let mut server =
        FakeServer::start([first, server::answer("application/x-ndjson", OLLAMA)]).await;
    let one = ClientSettings { concurrency: Some(1), ..settings(&server.url, WireFormat::Ollama) };
    let client = Client::new(one).unwrap();
    let both = async { tokio::join!(ask(&client), ask(&client)) };
    let watch = async {
        server.request().await;
        assert_eq!(client.turns.as_ref().unwrap().available_permits(), 0);
        assert!(server.requests.try_recv().is_err(), "the second waits");
        release.send(()).unwrap();
        server.request().await;
    };
    let ((first, second), ()) = tokio::join!(both, watch);
    assert!(first.is_ok() && second.is_ok());
}
