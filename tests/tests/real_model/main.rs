//! A real model server, in both wire formats: every answer is valid by its schema, every run comes to a lawful end, and
//! nothing hangs. What a model of this size writes makes no sense; form, flow and limits are what this shows.
//!
//! Needs python3 with venv, and the package index at the first start. Where these are missing it says so and shows nothing.

#![expect(clippy::print_stdout, reason = "what a model came to is what a person reads here")]

mod server;

use std::time::{Duration, Instant};

use domain::outputs::{AgentResponse, ChangeSet, Decision, Plan, Review};
use e2e::{
    api::text,
    git_http::{GitServer, Rights},
    model_server::Wire,
    stack::{Program, Settings, Stack},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use server::Server;

/// For everything in one format.
const LIMIT: Duration = Duration::from_secs(240);
/// Tokens of an answer: what a small model needs for each form, and no more time than a test has.
const MAX_TOKENS: &str = "350";
const TOKEN: &str = "ghs_for_the_real_model";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_carries_tasks_out_in_the_format_of_openai() {
    check(Wire::OpenAi).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_carries_tasks_out_in_the_format_of_ollama() {
    check(Wire::Ollama).await;
}

async fn check(wire: Wire) {
    let Some(server) = Server::start(wire).await else { return };
    let git = GitServer::start().expect("a git server starts");
    git.grant(TOKEN, Rights::ReadWrite);
    let files = [("README.md", "# Greeter\n\nPrints a greeting.\n"), ("greet.txt", "Hello\n")];
    let clone_url = git.new_repository("acme/greeter", &files).expect("a repository can be made");
    let stack = Stack::start(settings(&server, wire).git(&git, TOKEN)).await;

    let began = Instant::now();
    let worked = async {
        single(&stack).await;
        grow(&stack, &clone_url).await;
    };
    let in_time = tokio::time::timeout(LIMIT, worked).await;
    assert!(in_time.is_ok(), "{wire:?}: not at an end after {LIMIT:?}");
    println!("{wire:?}: a single task and a grow run took {:?}", began.elapsed());
    stack.stop().await;
}

fn settings(server: &Server, wire: Wire) -> Settings {
    let api = match wire {
        Wire::OpenAi => "openai",
        Wire::Ollama => "ollama",
    };
    let own = |settings: Settings, (name, value): (&str, &str)| {
        settings.own(Program::Worker, name, value)
    };
    [
        ("LOCAL_LLM_API", api),
        ("LOCAL_LLM_URL", server.url.as_str()),
        ("LOCAL_LLM_MODEL", server.model.as_str()),
        ("LOCAL_LLM_ERROR_MODE", "throw"),
        ("LOCAL_LLM_MAX_TOKENS", MAX_TOKENS),
        ("LOCAL_LLM_TIMEOUT_MS", "100000"),
        ("LOCAL_LLM_IDLE_TIMEOUT_MS", "60000"),
        ("ORCH_LLM_RESPONSE_FORMAT", "structured-json"),
        ("ORCH_WORKER_MAX_RETRIES", "1"),
        ("ORCH_CHECK_LLM", "true"),
    ]
    .into_iter()
    .fold(Settings::default(), own)
}

/// One task of its own in structured-json mode.
async fn single(stack: &Stack) {
    let (task, run) =
        stack.api.create_task("architect", "Say in one sentence what a greeter is for.").await;
    stack.api.follow(&run, LIMIT).await;
    let task = stack.api.get("/tasks/{id}", &[&task]).await;
    assert!(ended_lawfully(&task), "{task:#}");
    check_answers(stack, &task).await;
    check_usage(&task);
}

/// A whole run on a repository.
async fn grow(stack: &Stack, clone_url: &str) {
    let run = json!({
        "repository": clone_url,
        "goal": "Let the greeting in greet.txt name the world.",
        "budget": { "maxRounds": 1 },
    });
    let run = stack.api.post("/runs", &[], Some(&run)).await;
    let id = text(&run["id"]);
    stack.api.follow(&id, LIMIT).await;
    let run = stack.api.get("/runs/{id}", &[&id]).await;
    assert!(run["status"] == "completed" || run["status"] == "failed", "{run:#}");
    for task in stack.api.list("/runs/{id}/tasks", &[&id]).await {
        println!("{}: {} {} {}", task["kind"], task["status"], task["error"], task["usage"]);
        assert!(ended_lawfully(&task), "{task:#}");
        // What waited for one that failed was never asked.
        if task["attempt"] != 0 {
            check_answers(stack, &task).await;
            check_usage(&task);
        }
    }
    println!("the run is {}: {}", run["status"], run["outcome"]);
}

/// Completed, or failed because of what the model wrote: a file that may not be changed, or a change that changes nothing.
fn ended_lawfully(task: &Value) -> bool {
    let error = &task["error"];
    let said = error["message"].as_str().unwrap_or_default();
    let useless = error["code"] == "invalid_output" && said.contains("cannot be used");
    task["status"] == "completed"
        || (task["status"] == "failed" && (useless || error["code"] == "policy_violation"))
}

/// Every answer is of the form of its task's kind. One that the limit of tokens cut off is followed by a repair, and the last
/// one never is.
async fn check_answers(stack: &Stack, task: &Value) {
    let turns = stack.api.list("/tasks/{id}/transcript", &[&text(&task["id"])]).await;
    let mut answers = 0;
    for (turn, next) in turns.iter().zip(turns.iter().skip(1).map(Some).chain([None])) {
        if turn["kind"] != "answer" || next.is_some_and(|it| it["kind"] == "repair") {
            continue;
        }
        answers += 1;
        let answer = text(&turn["content"]);
        let answer: Value =
            serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        match task["kind"].as_str() {
            Some("single") => assert_valid::<AgentResponse>(&answer),
            Some("plan") => assert_valid::<Plan>(&answer),
            Some("implement") => assert_valid::<ChangeSet>(&answer),
            Some("review") => assert_valid::<Review>(&answer),
            Some("decide") => assert_valid::<Decision>(&answer),
            other => panic!("there should be no task of kind {other:?}"),
        }
    }
    assert!(answers > 0, "nobody answered: {turns:#?}");
}

#[track_caller]
fn assert_valid<T: DeserializeOwned>(answer: &Value) {
    if let Err(error) = serde_json::from_value::<T>(answer.clone()) {
        panic!("{error}: {answer:#}");
    }
}

fn check_usage(task: &Value) {
    let usage = &task["usage"];
    let used = |name: &str| usage[name].as_i64().unwrap_or_default();
    assert!(used("requests") >= 1 && used("modelMs") > 0, "{task:#}");
    assert!(used("tokensIn") > 0 && used("tokensOut") > 0, "{task:#}");
}
