//! Deliveries as GitHub documents them, and what we read of them.

mod changes;
mod checks;
mod odd;

use github::{Account, Envelope, Issue, Repository, Subject, parse};
use serde_json::{Value, json};

fn account(login: &str, id: i64, kind: &str) -> Account {
    Account { login: login.to_owned(), id: Some(id), kind: Some(kind.to_owned()) }
}

fn account_json(login: &str, id: i64, kind: &str) -> Value {
    json!({
        "login": login, "id": id, "node_id": "MDQ6VXNlcjE=", "type": kind, "site_admin": false,
        "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4", "gravatar_id": "",
    })
}

/// A payload with the parts that every repository event has, and `parts`.
fn payload(action: &str, parts: Value) -> Value {
    let mut payload = json!({
        "action": action,
        "repository": {
            "id": 35_129_377, "node_id": "R_kgDO", "name": "mill", "full_name": "river/mill", "private": true,
            "owner": account_json("river", 6_752_317, "Organization"), "html_url": "https://github.com/river/mill",
            "clone_url": "https://github.com/river/mill.git", "default_branch": "main", "fork": false, "topics": [],
        },
        "organization": {"login": "river", "id": 6_752_317},
        "sender": account_json("ada", 21_031_067, "User"),
        "installation": {"id": 234, "node_id": "MDIzOkludGVncmF0aW9u"},
    });
    for (name, part) in parts.as_object().expect("parts by name") {
        payload[name] = part.clone();
    }
    payload
}

fn read(event: &str, payload: &Value) -> Envelope {
    parse(event, payload.to_string().as_bytes()).expect("a JSON object")
}

/// The subject of `parts`, in an envelope that is always the same.
fn check(event: &str, action: &str, parts: Value, expected: Subject) {
    let envelope = Envelope {
        event: event.to_owned(),
        action: Some(action.to_owned()),
        repository: Some(Repository {
            full_name: "river/mill".to_owned(),
            id: Some(35_129_377),
            clone_url: Some("https://github.com/river/mill.git".to_owned()),
            default_branch: Some("main".to_owned()),
            private: Some(true),
        }),
        sender: Some(account("ada", 21_031_067, "User")),
        installation_id: Some(234),
        subject: expected,
    };
    assert_eq!(read(event, &payload(action, parts)), envelope);
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn issue_json() -> Value {
    json!({
        "url": "https://api.github.com/repos/river/mill/issues/7", "id": 444_500_041, "number": 7,
        "html_url": "https://github.com/river/mill/issues/7", "title": "Wheel turns backwards",
        "user": account_json("ada", 21_031_067, "User"),
        "labels": [
            {"id": 1, "name": "bug", "color": "d73a4a", "default": true},
            {"id": 2, "name": "ai-task", "color": "0e8a16", "default": false},
        ],
        "state": "open", "locked": false, "assignee": null, "assignees": [], "milestone": null, "comments": 0,
        "created_at": "2026-11-20T08:00:00Z", "author_association": "OWNER", "body": "Since 1.2 it turns left.",
        "reactions": {"total_count": 0, "+1": 0}, "state_reason": null,
    })
}

fn issue() -> Issue {
    Issue {
        number: 7,
        title: "Wheel turns backwards".to_owned(),
        body: some("Since 1.2 it turns left."),
        state: some("open"),
        labels: vec!["bug".to_owned(), "ai-task".to_owned()],
        html_url: some("https://github.com/river/mill/issues/7"),
        author: Some(account("ada", 21_031_067, "User")),
        author_association: some("OWNER"),
        is_pull_request: false,
    }
}
