//! From settings to a report over HTTP, against a server that plays a script in both wire formats.

#![expect(clippy::unwrap_used, reason = "these are the helpers of tests")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use agent_executor::{
    AnswerForm, Assignment, ErrorKind, ExecutionError, ExecutorArgs, Report, Silent, build,
};
use domain::{
    ids::{RunId, TaskId},
    role::Role,
    task::{FailureCode, TaskKind},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What the server does with a request.
enum Act {
    Say(&'static str),
    Refuse(u16, &'static str),
    Hang,
}

#[derive(Default)]
struct Script {
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<(String, Value)>>,
}

struct FakeServer {
    url: String,
    script: Arc<Script>,
    handle: ServerHandle,
}

impl FakeServer {
    fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let script =
            Arc::new(Script { acts: Mutex::new(acts.into_iter().collect()), ..Script::default() });
        let data = web::Data::from(Arc::clone(&script));
        let app = move || App::new().app_data(data.clone()).default_service(web::to(answer));
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, script, handle }
    }

    fn seen(&self) -> Vec<(String, Value)> {
        self.script.seen.lock().unwrap().clone()
    }
}

async fn answer(request: HttpRequest, body: web::Bytes, script: web::Data<Script>) -> HttpResponse {
    let body = serde_json::from_slice(&body).unwrap();
    script.seen.lock().unwrap().push((request.path().to_owned(), body));
    let act = script.acts.lock().unwrap().pop_front().expect("the script goes on");
    match act {
        Act::Hang => std::future::pending().await,
        Act::Refuse(status, retry_after) => HttpResponse::build(status.try_into().unwrap())
            .insert_header(("retry-after", retry_after))
            .finish(),
        Act::Say(text) if request.path() == "/api/chat" => {
            let said = json!({"model": "m", "message": {"content": text}, "done": false});
            let end = json!({"model": "m", "done": true, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 3});
            HttpResponse::Ok().content_type("application/x-ndjson").body(format!("{said}\n{end}\n"))
        }
        Act::Say(text) => {
            let said = json!({"model": "m", "choices": [{"delta": {"content": text}, "finish_reason": "stop"}]});
            let end = json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}});
            let body = format!("data: {said}\n\ndata: {end}\n\ndata: [DONE]\n\n");
            HttpResponse::Ok().content_type("text/event-stream").body(body)
        }
    }
}

fn args(server: &FakeServer, api: &str) -> ExecutorArgs {
    ExecutorArgs {
        local_llm_api: Some(api.to_owned()),
        local_llm_url: Some(server.url.clone()),
        local_llm_model: Some("small".to_owned()),
        local_llm_model_architect: Some("big".to_owned()),
        ..ExecutorArgs::default()
    }
}

async fn run(args: &ExecutorArgs, role: Role, form: AnswerForm) -> Result<Report, ExecutionError> {
    let assignment = Assignment {
        task_id: TaskId::new(),
        run_id: RunId::new(),
        attempt: 1,
        role,
        kind: TaskKind::Single,
        description: "Greet.".to_owned(),
        payload: Value::Null,
        context: Vec::new(),
        answer: form,
    };
    let executor = build(&args.clone().parse().unwrap()).unwrap();
    executor.execute(&assignment, &Silent, &CancellationToken::new()).await
}

const DECISION: &str = r#"{"decision": "open_pr", "reasons": []}"#;

#[tokio::test]
async fn an_answer_is_repaired_over_either_wire_format() {
    for (api, path, schema) in [
        ("ollama", "/api/chat", "/format"),
        ("openai", "/v1/chat/completions", "/response_format/json_schema/schema"),
    ] {
        let server = FakeServer::start([Act::Say("I think so."), Act::Say(DECISION)]);
        let report =
            run(&args(&server, api), Role::Maintainer, AnswerForm::Decision).await.unwrap();
        assert_eq!(report.output, json!({"decision": "open_pr", "reasons": []}));
        assert_eq!(
            (report.usage.requests, report.usage.tokens_in, report.usage.tokens_out),
            (2, 10, 6)
        );
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        for (at, body) in &seen {
            assert_eq!((at.as_str(), &body["model"]), (path, &json!("small")));
            assert_eq!(body.pointer(schema).unwrap()["required"], json!(["decision", "reasons"]));
        }
        let last = seen[1].1["messages"].as_array().unwrap();
        assert_eq!(last[2], json!({"role": "assistant", "content": "I think so."}));
        assert!(
            last[3]["content"].as_str().unwrap().contains("holds no JSON object"),
            "{}",
            last[3]
        );
        server.handle.stop(false).await;
    }
}

#[tokio::test]
async fn a_role_with_its_own_model_asks_that_one() {
    let server = FakeServer::start([Act::Say("Hello."), Act::Say("Hello.")]);
    for role in [Role::Architect, Role::Tester] {
        run(&args(&server, "ollama"), role, AnswerForm::Free).await.unwrap();
    }
    let models: Vec<_> = server.seen().iter().map(|it| it.1["model"].clone()).collect();
    assert_eq!(models, ["big", "small"]);
    server.handle.stop(false).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time_and_asked_again_later() {
    let server = FakeServer::start([Act::Hang, Act::Say(DECISION)]);
    let args = ExecutorArgs {
        local_llm_timeout_ms: Some("300".to_owned()),
        local_llm_error_mode: Some("throw".to_owned()),
        ..args(&server, "openai")
    };
    let error = run(&args, Role::Maintainer, AnswerForm::Decision).await.unwrap_err();
    assert_eq!((error.kind, error.failure.code), (ErrorKind::Retryable, FailureCode::ModelTimeout));
    assert_eq!(error.usage.requests, 1);
    let again = ExecutorArgs { local_llm_timeout_ms: None, ..args };
    assert!(run(&again, Role::Maintainer, AnswerForm::Decision).await.is_ok());
    server.handle.stop(false).await;
}

#[tokio::test]
async fn a_server_that_asks_for_patience_is_obeyed_in_either_error_mode() {
    for mode in ["fail", "throw"] {
        let server = FakeServer::start([Act::Refuse(429, "2")]);
        let mode = Some(mode.to_owned());
        let args = ExecutorArgs { local_llm_error_mode: mode, ..args(&server, "openai") };
        let error = run(&args, Role::Maintainer, AnswerForm::Decision).await.unwrap_err();
        let two = Some(Duration::from_secs(2));
        assert_eq!(error.kind, ErrorKind::RateLimited { retry_after: two });
        server.handle.stop(false).await;
    }
}
