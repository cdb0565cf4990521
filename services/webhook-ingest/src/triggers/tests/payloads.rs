//! Payloads as GitHub documents them, shortened to what matters.

use serde_json::{Value, json};

/// What every payload has, beside what it is about.
pub(super) fn payload(action: Option<&str>, about: Value) -> Value {
    let mut payload = json!({
        "repository": {
            "id": 1_296_269, "full_name": "octocat/Hello-World", "private": false, "default_branch": "main",
            "clone_url": "https://github.com/octocat/Hello-World.git",
        },
        "sender": {"login": "octocat", "id": 1, "type": "User"},
    });
    let whole = payload.as_object_mut().unwrap();
    if let Some(action) = action {
        whole.insert("action".to_owned(), json!(action));
    }
    whole.extend(about.as_object().unwrap().clone());
    payload
}

pub(super) fn issue(labels: &[&str]) -> Value {
    let labels: Vec<Value> =
        labels.iter().map(|name| json!({"id": 1, "name": name, "color": "d73a4a"})).collect();
    json!({
        "number": 7, "title": "The parser loses commas", "body": "Steps:\n1. parse `a,b`", "state": "open",
        "labels": labels, "html_url": "https://github.com/octocat/Hello-World/issues/7",
        "user": {"login": "octocat", "id": 1, "type": "User"}, "author_association": "OWNER",
    })
}

pub(super) fn pull_request(head_repository: &str) -> Value {
    json!({
        "number": 3, "title": "Keep commas", "body": "Fixes #7", "state": "open", "labels": [],
        "html_url": "https://github.com/octocat/Hello-World/pull/3", "user": {"login": "octocat", "id": 1, "type": "User"},
        "head": {"ref": "keep-commas", "sha": "a10867b14bb761a232cd80139fbd4c0d33264240", "repo": {"full_name": head_repository}},
        "base": {"ref": "main", "sha": "b10867b14bb761a232cd80139fbd4c0d33264240", "repo": {"full_name": "octocat/Hello-World"}},
    })
}

pub(super) fn comment(body: &str, via_app: Option<i64>) -> Value {
    json!({
        "id": 99, "body": body, "html_url": "https://github.com/octocat/Hello-World/issues/7#issuecomment-99",
        "user": {"login": "octocat", "id": 1, "type": "User"}, "author_association": "OWNER",
        "performed_via_github_app": via_app.map(|id| json!({"id": id})),
    })
}

pub(super) fn check_run(status: &str, conclusion: Option<&str>, branch: &str) -> Value {
    json!({"check_run": {
        "name": "build", "status": status, "conclusion": conclusion, "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
        "html_url": "https://github.com/octocat/Hello-World/runs/4", "output": {"title": "3 tests failed", "summary": null},
        "check_suite": {"head_branch": branch}, "pull_requests": [],
    }})
}

pub(super) fn push(reference: &str, deleted: bool) -> Value {
    json!({
        "ref": reference, "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "deleted": deleted, "created": false,
        "after": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c", "compare": "https://github.com/octocat/Hello-World/compare/6..0",
        "head_commit": {"message": "Update README"},
    })
}

pub(super) fn deployment(state: &str) -> Value {
    json!({
        "deployment_status": {"state": state, "description": "Deployed", "environment": "production"},
        "deployment": {"ref": "main", "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "environment": "production"},
    })
}
