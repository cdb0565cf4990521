//! A real model server, in both wire formats: every answer is valid by its schema, every run comes to a lawful end, and
//! nothing hangs. What a model of this size writes makes no sense; form, flow and limits are what this shows.
//!
//! Needs python3 with venv, and the package index at the first start. Where these are missing it says so and shows nothing.

#![expect(clippy::print_stdout, reason = "what a model came to is what a person reads here")]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use domain::outputs::{AgentResponse, ChangeSet, Decision, Plan, Review};
use e2e::{
    api::{self, text},
    git_http::{GitServer, Rights},
    model_server::Wire,
    stack::{Program, Settings, Stack},
    wait::until,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// For everything in one format.
const LIMIT: Duration = Duration::from_secs(240);
/// To install and start the model server, which the first start fetches.
const START: Duration = Duration::from_secs(180);
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
        ("LOCAL_LLM_TIMEOUT_MS", "60000"),
        ("LOCAL_LLM_IDLE_TIMEOUT_MS", "30000"),
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
    stack.api.follow(&run).await;
    let task = stack.api.get("/tasks/{id}", &[&task]).await;
    assert!(ended_lawfully(&task), "{task:#}");
    if task["status"] == "completed" {
        assert_valid::<AgentResponse>(&task["result"]);
    }
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
    stack.api.follow(&id).await;
    let run = stack.api.get("/runs/{id}", &[&id]).await;
    assert!(run["status"] == "completed" || run["status"] == "failed", "{run:#}");
    for task in stack.api.list("/runs/{id}/tasks", &[&id]).await {
        println!("{}: {} {} {}", task["kind"], task["status"], task["error"], task["usage"]);
        assert!(ended_lawfully(&task), "{task:#}");
        if task["status"] == "completed" {
            check_answers(stack, &task).await;
        }
        check_usage(&task);
    }
    println!("the run is {}: {}", run["status"], run["outcome"]);
}

/// Completed, or failed for a reason that lies in what the model wrote or in a request that took too long.
fn ended_lawfully(task: &Value) -> bool {
    let code = task["error"]["code"].as_str();
    task["status"] == "completed"
        || (task["status"] == "failed"
            && matches!(code, Some("invalid_output" | "model_timeout" | "policy_violation")))
}

/// The last answer of a completed task is of the form of its kind.
async fn check_answers(stack: &Stack, task: &Value) {
    let turns = stack.api.list("/tasks/{id}/transcript", &[&text(&task["id"])]).await;
    let answer =
        turns.iter().rfind(|it| it["kind"] == "answer").expect("a completed task was answered");
    let answer: Value =
        serde_json::from_str(answer["content"].as_str().expect("an answer is text"))
            .expect("a constrained answer is JSON");
    match task["kind"].as_str() {
        Some("plan") => assert_valid::<Plan>(&answer),
        Some("implement") => assert_valid::<ChangeSet>(&answer),
        Some("review") => assert_valid::<Review>(&answer),
        Some("decide") => assert_valid::<Decision>(&answer),
        other => panic!("a grow run has no task of kind {other:?}"),
    }
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
    if task["status"] == "completed" {
        assert!(used("tokensIn") > 0 && used("tokensOut") > 0, "{task:#}");
    }
}

/// The model server of `scripts/`, with Ollama's format in front of it where that is wanted. It ends when this is dropped.
struct Server {
    url: String,
    model: String,
    _processes: Vec<Child>,
}

impl Server {
    /// None, loudly, where it cannot be had.
    async fn start(wire: Wire) -> Option<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        if !has_python().await {
            eprintln!(
                "\n*** NO REAL MODEL WAS ASKED: python3 with venv is not here. Install python3-venv. ***\n"
            );
            return None;
        }
        let port = free_port();
        let mut server = script("model-server.sh", &[&port.to_string(), "--slots", "1"]);
        let upstream = format!("http://127.0.0.1:{port}");
        if !answers(&format!("{upstream}/v1/models"), &mut server).await {
            eprintln!(
                "\n*** NO REAL MODEL WAS ASKED: scripts/model-server.sh did not start, see above. ***\n"
            );
            return None;
        }
        let models: Value = api::client()
            .get(format!("{upstream}/v1/models"))
            .send()
            .await
            .ok()?
            .json()
            .await
            .ok()?;
        let model = text(&models["data"][0]["id"]);
        let (url, processes) = match wire {
            Wire::OpenAi => (upstream, vec![server]),
            Wire::Ollama => {
                let port = free_port();
                let mut ollama = script("ollama_wire.py", &[&port.to_string(), &upstream]);
                let url = format!("http://127.0.0.1:{port}");
                assert!(
                    answers(&format!("{url}/api/tags"), &mut ollama).await,
                    "ollama_wire.py starts"
                );
                (url, vec![ollama, server])
            }
        };
        Some(Self { url, model, _processes: processes })
    }
}

async fn has_python() -> bool {
    let asked = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stderr(Stdio::null())
        .status()
        .await;
    asked.is_ok_and(|it| it.success())
}

fn script(name: &str, arguments: &[&str]) -> Child {
    let child = Command::new(scripts().join(name))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    child.unwrap_or_else(|error| panic!("scripts/{name} cannot be started: {error}"))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is a folder of the project")
        .join("scripts")
}

/// Waits until an address answers. False if the process ends before it does.
async fn answers(url: &str, process: &mut Child) -> bool {
    let http = api::client();
    until(&format!("{url} answers"), START, || {
        let ended = matches!(process.try_wait(), Ok(Some(_)));
        let asking = http.get(url).send();
        async move {
            if ended {
                return Some(false);
            }
            asking.await.ok().filter(|it| it.status() == 200).map(|_| true)
        }
    })
    .await
}

/// Nobody else takes it before the server does, or the server says so and ends.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port can be had");
    socket.local_addr().expect("a bound socket has an address").port()
}
