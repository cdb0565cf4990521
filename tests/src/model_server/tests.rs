use reqwest::Response;
use serde_json::{Value, json};

use super::*;

const DECISION: &str = r#"{"decision":"open_pr","reasons":[]}"#;

fn decision() -> Step {
    Step::Answer(serde_json::from_str(DECISION).unwrap())
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "decision": { "type": "string", "enum": ["merge", "open_pr"] },
            "reasons": { "type": "array", "items": { "type": "string" }, "maxItems": 3 },
        },
        "required": ["decision", "reasons"],
        "additionalProperties": false,
    })
}

fn messages() -> Value {
    json!([
        { "role": "system", "content": "You are the maintainer of a team." },
        { "role": "user", "content": "⟦data 1: goal, the task⟧\nDecide.\n⟦end of data 1⟧" },
    ])
}

fn openai() -> Value {
    json!({
        "model": "m",
        "messages": messages(),
        "stream": true,
        "temperature": 0.2,
        "max_tokens": 800,
        "response_format": {
            "type": "json_schema",
            "json_schema": { "name": "decision", "schema": schema(), "strict": true },
        },
    })
}

fn ollama() -> Value {
    json!({
        "model": "m",
        "messages": messages(),
        "options": { "temperature": 0.2, "num_predict": 800, "num_ctx": 4096 },
        "format": schema(),
    })
}

fn server(steps: impl IntoIterator<Item = Step>) -> ModelServer {
    drop(rustls::crypto::ring::default_provider().install_default());
    let script = Script::new(steps.into_iter().map(|step| (Form::Decision, step)));
    ModelServer::start(Expected::of("m"), script).unwrap()
}

async fn ask(server: &ModelServer, path: &str, body: &Value) -> reqwest::Result<Response> {
    crate::api::client().post(format!("{}{path}", server.url())).json(body).send().await
}

#[tokio::test]
async fn an_answer_comes_in_pieces_of_its_format() {
    let server = server([decision(), decision()]);
    let events =
        ask(&server, "/v1/chat/completions", &openai()).await.unwrap().text().await.unwrap();
    let said = |event: &str| {
        let event: Value = serde_json::from_str(event.strip_prefix("data: ")?).ok()?;
        event.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned)
    };
    assert_eq!(events.split("\n\n").filter_map(said).collect::<String>(), DECISION);
    assert!(events.ends_with("data: [DONE]\n\n"), "{events}");

    let lines = ask(&server, "/api/chat", &ollama()).await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: String = lines.iter().map(|it| it["message"]["content"].as_str().unwrap()).collect();
    assert_eq!((said.as_str(), &lines.last().unwrap()["done"]), (DECISION, &json!(true)));
    assert_eq!(server.told(), ["decision: answered", "decision: answered"]);
    server.assert_content();
}

#[tokio::test]
async fn an_answer_comes_whole_where_no_stream_is_asked_for() {
    let server = server([decision()]);
    let body = Value::Object(
        openai()
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .chain([("stream".to_owned(), json!(false))])
            .collect(),
    );
    let answer: Value =
        ask(&server, "/v1/chat/completions", &body).await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], DECISION);
    server.assert_content();
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed() {
    let server = server([Step::Hang]);
    let body = openai();
    let asking = ask(&server, "/v1/chat/completions", &body);
    let asked = server.until("it is asked", |asked| !asked.is_empty());
    tokio::select! {
        answer = asking => panic!("an answer: {answer:?}"),
        _ = asked => {}
    }
    server.until("it is abandoned", |asked| asked[0].outcome == Outcome::Abandoned).await;
}

#[tokio::test]
async fn a_cut_answer_and_a_refusal_are_what_they_are_called() {
    let refusal = Step::Refuse { status: 429, retry_after: Some(7) };
    let server = server([Step::Cut(serde_json::from_str(DECISION).unwrap()), refusal]);
    let cut = ask(&server, "/api/chat", &ollama()).await.unwrap().text().await;
    assert!(cut.is_err(), "{cut:?}");
    let refused = ask(&server, "/api/chat", &ollama()).await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(server.told(), ["decision: cut", "decision: refused with 429"]);
    server.assert_content();
}

#[tokio::test]
async fn what_should_not_be_sent_is_told() {
    check("/v1/chat/completions", openai(), "/temperature", Value::Null, "the temperature is None")
        .await;
    check("/v1/chat/completions", openai(), "/model", json!("x"), "the model is \"x\"").await;
    check(
        "/v1/chat/completions",
        openai(),
        "/messages/1/role",
        json!("assistant"),
        "the messages are by",
    )
    .await;
    check(
        "/v1/chat/completions",
        openai(),
        "/messages/1/content",
        json!("Decide."),
        "is not marked as data",
    )
    .await;
    check(
        "/v1/chat/completions",
        openai(),
        "/response_format/json_schema/name",
        json!("plan"),
        "is named plan",
    )
    .await;
    let open = "/response_format/json_schema/schema/additionalProperties";
    check("/v1/chat/completions", openai(), open, json!(true), "the schema is an open object")
        .await;
    check(
        "/api/chat",
        ollama(),
        "/format/properties/reasons/maxItems",
        Value::Null,
        "a list without an end",
    )
    .await;
    check(
        "/api/chat",
        ollama(),
        "/format/properties/decision/type",
        json!("word"),
        "is no JSON Schema",
    )
    .await;
    check("/api/chat", ollama(), "/options/num_ctx", json!(500), "cut the prompt silently").await;
}

/// Changes one member of a good request, and wants a violation for it.
async fn check(path: &str, mut body: Value, member: &str, value: Value, violation: &str) {
    let server = server([decision()]);
    *body.pointer_mut(member).unwrap() = value;
    ask(&server, path, &body).await.unwrap();
    let violations = server.shared.state().violations.clone();
    assert!(violations.iter().any(|it| it.contains(violation)), "{member}: {violations:?}");
}

#[tokio::test]
async fn a_request_that_the_script_does_not_know_is_told() {
    let server = server([]);
    assert_eq!(ask(&server, "/api/chat", &ollama()).await.unwrap().status(), 400);
    assert_eq!(ask(&server, "/elsewhere", &ollama()).await.unwrap().status(), 404);
    let expected = [
        "request 0 (decision): the script has nothing for it",
        "POST /elsewhere is no endpoint of a model server",
    ];
    assert_eq!(server.shared.state().violations, expected);
}
