//! What the scenarios share: a repository, what the agents answer about it, and what became of it.

use std::{collections::HashMap, process::Command, time::Duration};

use e2e::{
    api::{Api, StreamedEvent, text},
    git_http::{GitServer, Rights},
    model_server::Expected,
};
use serde_json::{Value, json};

/// The repository of the scenarios.
pub(crate) const REPOSITORY: &str = "acme/greeter";
pub(crate) const MODEL: &str = "scripted-1";
/// How long a run may take: its waits, and what a busy machine adds.
pub(crate) const RUN: Duration = Duration::from_secs(60);

// Secrets that may appear nowhere; no text of ours holds them by chance.
pub(crate) const GIT_TOKEN: &str = "ghs_9vQk2canaryXr7TbL0pWm4";
pub(crate) const MODEL_KEY: &str = "sk-canary-Zt51uGq8Jd";
pub(crate) const WEBHOOK_SECRET: &str = "canary-hook-Nn3rB6yVw2";

/// A git server with the repository, open to who has the token.
pub(crate) fn git_server() -> (GitServer, String) {
    let server = GitServer::start().expect("a git server starts");
    server.grant(GIT_TOKEN, Rights::ReadWrite);
    let files = [("README.md", "# Greeter\n\nGreets.\n"), ("src/greet.txt", "Hello\n")];
    let url = server.new_repository(REPOSITORY, &files).expect("a repository can be made");
    (server, url)
}

/// What a model is asked with the default settings and the key; it is told no secret.
pub(crate) fn expected() -> Expected {
    Expected {
        api_key: Some(MODEL_KEY.to_owned()),
        canaries: [GIT_TOKEN, MODEL_KEY, WEBHOOK_SECRET].map(str::to_owned).to_vec(),
        ..Expected::of(MODEL)
    }
}

pub(crate) fn plan() -> Value {
    json!({
        "summary": "Greet the world.",
        "subtasks": [{
            "title": "Greeting",
            "description": "Change the greeting.",
            "scopePaths": ["src/greet.txt"],
            "dependsOn": [],
            "acceptance": ["It says world."],
        }],
        "risks": [],
        "needsHuman": false,
    })
}

/// The greeting as it shall be.
pub(crate) fn greeting(content: &str) -> Value {
    json!({
        "summary": format!("Say {}", content.trim()),
        "changes": [{ "path": "src/greet.txt", "action": "write", "content": content }],
    })
}

/// A review that asks for one change.
pub(crate) fn objection(body: &str) -> Value {
    let comment = json!({ "path": "src/greet.txt", "line": 1, "severity": "major", "body": body });
    json!({ "verdict": "request_changes", "summary": "Nearly.", "comments": [comment] })
}

pub(crate) fn approval() -> Value {
    json!({ "verdict": "approve", "summary": "It does what was asked.", "comments": [] })
}

pub(crate) fn decision() -> Value {
    json!({ "decision": "open_pr", "reasons": ["It is approved."] })
}

/// What git says about the repository on its server.
pub(crate) fn git(server: &GitServer, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "--git-dir"])
        .arg(server.bare_path(REPOSITORY))
        .args(arguments)
        .output()
        .expect("git can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Commits of a branch that are not on `main`, the oldest first: subject, then content of the greeting.
pub(crate) fn commits(server: &GitServer, branch: &str) -> Vec<(String, String)> {
    let range = format!("main..{branch}");
    let list = git(server, &["log", "--reverse", "--format=%H %s", &range]);
    let commit = |line: &str| {
        let (id, subject) = line.split_once(' ').expect("an id and a subject");
        (subject.to_owned(), git(server, &["show", &format!("{id}:src/greet.txt")]))
    };
    list.lines().map(commit).collect()
}

/// The value of a trailer of a commit.
pub(crate) fn trailer(server: &GitServer, commit: &str, name: &str) -> String {
    let format = format!("--format=%(trailers:key={name},valueonly)");
    git(server, &["log", "-1", &format, commit]).trim().to_owned()
}

/// Every request to the git server came with a token that allowed it.
#[track_caller]
pub(crate) fn assert_authorised(server: &GitServer) {
    let strangers: Vec<_> = server.requests().into_iter().filter(|it| !it.authorised).collect();
    assert_eq!(strangers, []);
}

/// Tasks of a run in the order of their making, as `kind: status, attempt n`.
pub(crate) async fn tasks(api: &Api, run: &str) -> (Vec<Value>, Vec<String>) {
    let tasks = api.list("/runs/{id}/tasks", &[run]).await;
    let line = |task: &Value| {
        format!("{}: {}, attempt {}", text(&task["kind"]), text(&task["status"]), task["attempt"])
    };
    let lines = tasks.iter().map(line).collect();
    (tasks, lines)
}

/// Events as `event`, or `kind number: event attempt` where they are a task's; tasks are counted by their kind.
pub(crate) fn told(events: &[StreamedEvent], tasks: &[Value]) -> Vec<String> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut names: HashMap<String, String> = HashMap::new();
    for task in tasks {
        let kind = text(&task["kind"]);
        let count = counts.entry(kind.clone()).or_default();
        *count += 1;
        names.insert(text(&task["id"]), format!("{kind} {count}"));
    }
    let line = |event: &StreamedEvent| match event.data.get("taskId") {
        None => event.name.clone(),
        Some(id) => {
            let attempt = event.data.get("attempt").map(|it| format!(" {it}")).unwrap_or_default();
            format!("{}: {}{attempt}", names[&text(id)], event.name)
        }
    };
    events.iter().map(line).collect()
}

/// A transcript as `attempt kind by`.
pub(crate) async fn transcript(api: &Api, task: &Value) -> Vec<String> {
    let turns = api.list("/tasks/{id}/transcript", &[&text(&task["id"])]).await;
    turns
        .iter()
        .map(|it| format!("{} {} by {}", it["attempt"], text(&it["kind"]), text(&it["role"])))
        .collect()
}

/// Names of the events of a task's history.
pub(crate) async fn history(api: &Api, task: &str) -> Vec<String> {
    let events = api.list("/tasks/{id}/history", &[task]).await;
    events.iter().map(|it| text(&it["kind"])).collect()
}
