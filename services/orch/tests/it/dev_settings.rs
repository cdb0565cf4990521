//! What `orch dev` makes of its settings.

use serde_json::Value;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    process::{client, dev, start, stopped},
    program::call,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_was_asked_for_is_never_replaced() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_AGENT_EXECUTOR", "local");
    let (running, announced) = start(program).await;
    assert_eq!(
        (announced["executor"].as_str(), announced["queue"].as_str()),
        (Some("local"), Some("in this process"))
    );
    assert!(
        announced["advice"].as_str().unwrap().contains("until that changes, tasks fail"),
        "{announced}"
    );
    let failed = call(client(home.path(), &announced), ["run", "Try"]).await.assert(1);
    assert!(failed.stdout.contains("failed with model_unavailable"), "{failed:?}");
    stopped(running).await;
}

/// Something that gives every request the same answer.
async fn server_that_answers(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            drop(connection.read(&mut request).await);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            drop(connection.write_all(answer.as_bytes()).await);
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_server_that_answers_is_used_and_what_it_lacks_is_told() {
    let tags = r#"{"models": [{"name": "small:latest"}]}"#;
    for (status, body, models, executor, told) in [
        ("200 OK", tags, "small", "local", None),
        (
            "200 OK",
            tags,
            "large",
            "local",
            Some("The model server does not list large; it has small:latest."),
        ),
        ("401 Unauthorized", "{}", "small", "local", Some("401")),
        (
            "404 Not Found",
            "no such page",
            "small",
            "stub",
            Some("ORCH_AGENT_EXECUTOR=local insists on it."),
        ),
    ] {
        let home = tempdir().unwrap();
        let mut program = dev(home.path());
        let url = server_that_answers(status, body).await;
        program.env("LOCAL_LLM_URL", &url).env("LOCAL_LLM_MODEL", models);
        let (running, announced) = start(program).await;
        assert_eq!(announced["executor"], executor, "{announced}");
        let advice = announced["advice"].as_str();
        match told {
            None => assert_eq!(advice, None),
            Some(told) => assert!(advice.is_some_and(|it| it.contains(told)), "{announced}"),
        }
        stopped(running).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_and_scheduler_can_be_left_out() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_WORKER_ENABLED", "false").env("ORCH_SCHEDULER_ENABLED", "false");
    let (running, announced) = start(program).await;
    assert_eq!(
        (&announced["worker"], &announced["scheduler"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    let task = call(
        client(home.path(), &announced),
        ["tasks", "create", "Wait", "--role", "tester", "--json"],
    )
    .await
    .assert(0)
    .json();
    assert_eq!(task["status"], "queued");
    stopped(running).await;
}

async fn refused(variables: &[(&str, &str)], code: i32, said: &[&str]) {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.envs(variables.iter().copied());
    let ended = call(program, ["dev"]).await.assert(code);
    assert_eq!(ended.stdout, "");
    for text in said {
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_forbids_the_model_is_an_error_and_no_reason_for_a_stub() {
    refused(
        &[("LOCAL_LLM_URL", "https://models.example.com")],
        2,
        &["LOCAL_LLM_URL is \"https://models.example.com\""],
    )
    .await;
    refused(
        &[("ORCH_LLM_POLICY", "locked"), ("LOCAL_LLM_API", "openai")],
        2,
        &["LOCAL_LLM_API is \"openai\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_setting_is_told_in_one_message() {
    let wrong = [
        ("ORCH_PORT", "many"),
        ("TASK_QUEUE", "redis"),
        ("ORCH_TASK_STORE", "redis"),
        ("LOCAL_LLM_TEMPERATURE", "hot"),
        ("ORCH_WORKER_ROLES", "cook"),
        ("ORCH_SCHEDULE_ROLES", "cook"),
        ("GITHUB_WEBHOOK_SECRET", "a,,b"),
    ];
    let mut said: Vec<String> =
        wrong[..6].iter().map(|(name, _)| format!("  {name} is ")).collect();
    said.extend([
        "error: 7 settings are wrong:".to_owned(),
        "secret number 2 of GITHUB_WEBHOOK_SECRET".to_owned(),
    ]);
    refused(&wrong, 2, &said.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let open = [("ORCH_HOST", "0.0.0.0"), ("ORCH_AUTH", "off")];
    refused(&open, 2, &["ORCH_AUTH is `off`: "]).await;
    refused(&[("ORCH_TASK_STORE", "postgres")], 2, &["DATABASE_URL is not set"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(
        &[("ORCH_PORT", &port)],
        1,
        &[&format!("cannot listen on 127.0.0.1:{port}"), "ORCH_PORT"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listens_for_everybody_wants_a_key() {
    let home = tempdir().unwrap();
    let mut program = dev(home.path());
    program.env("ORCH_HOST", "0.0.0.0");
    let (running, announced) = start(program).await;
    assert_eq!(announced["keyNeeded"], true);
    call(client(home.path(), &announced), ["agents"]).await.assert(2);
    stopped(running).await;
}
