//! Every form of answer, asked of a real model server in both wire formats.
//!
//! Runs where `ORCH_TEST_MODEL_URL` (an OpenAI-compatible server) or `ORCH_TEST_OLLAMA_URL` is set, and says so where not.
//! What a small model writes makes no sense; that it is whole, valid and in bounds is what this shows.

#![expect(
    clippy::print_stdout,
    reason = "what a model used and what was noted is what a person reads here"
)]

use agent_executor::{
    AnswerForm, Assignment, ContextPart, ExecutorArgs, ExecutorSettings, Origin, Report, Silent,
    build, client, model_server_answers,
};
use clap::Parser;
use domain::{
    ids::{RunId, TaskId},
    outputs::{AgentResponse, ChangeSet, Decision, Plan, Review, TestReport},
    role::Role,
    task::TaskKind,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Where the servers are.
#[derive(Parser)]
struct Servers {
    #[arg(long, env = "ORCH_TEST_MODEL_URL")]
    openai: Option<String>,
    #[arg(long, env = "ORCH_TEST_OLLAMA_URL")]
    ollama: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_openai_compatible_server_answers_every_form() {
    every_form("openai", Servers::parse_from(["test"]).openai).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_answers_every_form() {
    every_form("ollama", Servers::parse_from(["test"]).ollama).await;
}

async fn every_form(api: &str, url: Option<String>) {
    let Some(url) = url else {
        println!("no {api} server was named, so none is asked");
        return;
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let model = first_model(api, &url).await;
    for (answer, format) in [
        (AnswerForm::Plan, "text"),
        (AnswerForm::ChangeSet, "text"),
        (AnswerForm::Review, "text"),
        (AnswerForm::TestReport, "text"),
        (AnswerForm::Decision, "text"),
        (AnswerForm::Free, "text"),
        (AnswerForm::Free, "structured-json"),
    ] {
        let report = answered(&settings(api, &url, &model, format), answer).await;
        check(answer, format, &report.output);
        let used = report.usage;
        assert!(used.requests >= 1 && used.tokens_in > 0 && used.tokens_out > 0, "{used:?}");
        println!("{api} {answer} {format}: {used:?} {:?}", report.notes);
    }
}

/// Default settings, but for a time limit that a busy test machine needs.
fn settings(api: &str, url: &str, model: &str, format: &str) -> ExecutorSettings {
    let given = |it: &str| Some(it.to_owned());
    let args = ExecutorArgs {
        agent_executor: given("local"),
        local_llm_api: given(api),
        local_llm_url: given(url),
        local_llm_model: given(model),
        local_llm_timeout_ms: given("300000"),
        local_llm_idle_timeout_ms: given("120000"),
        llm_response_format: given(format),
        ..ExecutorArgs::default()
    };
    args.parse().expect("the settings are right")
}

async fn first_model(api: &str, url: &str) -> String {
    let settings = settings(api, url, "any", "text");
    assert!(model_server_answers(&settings).await, "the server at {url} answers");
    let models = client(&settings).expect("policy allows it").probe(settings.limits.total).await;
    models.expect("it lists its models").into_iter().next().expect("it has a model")
}

async fn answered(settings: &ExecutorSettings, answer: AnswerForm) -> Report {
    let (role, kind) = match answer {
        AnswerForm::Plan => (Role::Architect, TaskKind::Plan),
        AnswerForm::ChangeSet => (Role::Implementer, TaskKind::Implement),
        AnswerForm::Review => (Role::Reviewer, TaskKind::Review),
        AnswerForm::TestReport => (Role::Tester, TaskKind::Test),
        AnswerForm::Decision => (Role::Maintainer, TaskKind::Decide),
        AnswerForm::Free => (Role::Implementer, TaskKind::Single),
    };
    let file = ContextPart {
        origin: Origin::RepositoryFile,
        title: "README.md".to_owned(),
        text: "# Greeter\n\nPrints a greeting.\n".repeat(40),
    };
    let assignment = Assignment {
        task_id: TaskId::new(),
        run_id: RunId::new(),
        attempt: 1,
        role,
        kind,
        description:
            "Write a section on how to install the greeter, and correct the typo in its name."
                .to_owned(),
        payload: json!({"issue": 7}),
        context: vec![file],
        answer,
    };
    let executor = build(settings).expect("policy allows the server");
    executor.execute(&assignment, &Silent, &CancellationToken::new()).await.unwrap_or_else(
        |error| {
            let said: Vec<_> =
                error.turns.iter().map(|it| (it.kind, it.content.as_str())).skip(2).collect();
            panic!("{answer}: {error}: {said:#?}")
        },
    )
}

fn check(answer: AnswerForm, format: &str, output: &Value) {
    match answer {
        AnswerForm::Plan => is::<Plan>(output),
        AnswerForm::ChangeSet => is::<ChangeSet>(output),
        AnswerForm::Review => is::<Review>(output),
        AnswerForm::TestReport => is::<TestReport>(output),
        AnswerForm::Decision => is::<Decision>(output),
        AnswerForm::Free if format == "text" => {
            assert!(output["text"].as_str().is_some_and(|it| !it.is_empty()), "{output}");
        }
        AnswerForm::Free => is::<AgentResponse>(output),
    }
}

fn is<T: DeserializeOwned>(output: &Value) {
    if let Err(error) = serde_json::from_value::<T>(output.clone()) {
        panic!("{error}: {output}");
    }
}
