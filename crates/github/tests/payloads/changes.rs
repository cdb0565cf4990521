//! Issues, pull requests, what people say to them, and pushes.

use github::{Account, Branch, Comment, Issue, PullRequest, Push, Review, Subject};
use serde_json::{Value, json};

use crate::{account, account_json, check, issue, issue_json, read, some};

fn pull_request_json() -> Value {
    let repo = |name: &str| json!({"id": 1, "name": "mill", "full_name": name, "private": false});
    json!({
        "id": 279_147_437, "number": 12, "state": "open", "locked": false, "title": "Turn right",
        "html_url": "https://github.com/river/mill/pull/12", "user": account_json("eve", 99, "User"), "body": null,
        "labels": [], "draft": true, "merged": false, "mergeable": null, "author_association": "CONTRIBUTOR",
        "head": {"label": "eve:fix", "ref": "fix", "sha": "ec26c3e", "user": null, "repo": repo("eve/mill")},
        "base": {"label": "river:main", "ref": "main", "sha": "f95f852", "user": null, "repo": repo("river/mill")},
        "commits": 1, "additions": 3, "deletions": 3, "changed_files": 1,
    })
}

fn pull_request() -> PullRequest {
    let side = |name, sha, repository| Branch {
        name: some(name),
        sha: some(sha),
        repository: some(repository),
    };
    PullRequest {
        number: 12,
        title: "Turn right".to_owned(),
        body: None,
        state: some("open"),
        draft: true,
        merged: false,
        labels: vec![],
        html_url: some("https://github.com/river/mill/pull/12"),
        author: Some(account("eve", 99, "User")),
        author_association: some("CONTRIBUTOR"),
        head: side("fix", "ec26c3e", "eve/mill"),
        base: side("main", "f95f852", "river/mill"),
    }
}

#[test]
fn an_issue_that_was_labelled_tells_which_label() {
    let parts =
        json!({"issue": issue_json(), "label": {"id": 2, "name": "ai-task", "color": "0e8a16"}});
    check("issues", "labeled", parts, Subject::Issue { issue: issue(), label: some("ai-task") });
    let parts = json!({"issue": issue_json(), "changes": {}});
    check("issues", "opened", parts, Subject::Issue { issue: issue(), label: None });
}

#[test]
fn a_comment_tells_who_wrote_it_on_what() {
    let mut on_pull_request = issue_json();
    on_pull_request["pull_request"] =
        json!({"url": "https://api.github.com/repos/river/mill/pulls/7"});
    let parts = json!({
        "issue": on_pull_request,
        "comment": {
            "id": 492_700_400, "html_url": "https://github.com/river/mill/issues/7#issuecomment-492700400",
            "user": account_json("orchestrator[bot]", 77, "Bot"), "author_association": "NONE",
            "body": "/orchestrator retry", "performed_via_github_app": {"id": 5, "slug": "orchestrator"},
        },
    });
    let comment = Comment {
        id: 492_700_400,
        body: some("/orchestrator retry"),
        html_url: some("https://github.com/river/mill/issues/7#issuecomment-492700400"),
        author: Some(account("orchestrator[bot]", 77, "Bot")),
        author_association: some("NONE"),
        via_app_id: Some(5),
    };
    assert!(comment.author.as_ref().is_some_and(Account::is_bot));
    let issue = Issue { is_pull_request: true, ..issue() };
    check("issue_comment", "created", parts, Subject::IssueComment { issue, comment });
}

#[test]
fn a_pull_request_tells_both_sides() {
    let parts = json!({"number": 12, "pull_request": pull_request_json()});
    check(
        "pull_request",
        "opened",
        parts,
        Subject::PullRequest { pull_request: pull_request(), label: None },
    );
    let mut of_deleted_fork = pull_request_json();
    of_deleted_fork["head"]["repo"] = Value::Null;
    let mut expected = pull_request();
    expected.head.repository = None;
    let parts = json!({"pull_request": of_deleted_fork, "label": {"name": "bug"}});
    check(
        "pull_request",
        "labeled",
        parts,
        Subject::PullRequest { pull_request: expected, label: some("bug") },
    );
}

#[test]
fn a_review_tells_its_verdict() {
    let parts = json!({
        "pull_request": pull_request_json(),
        "review": {
            "id": 237_895_671, "user": account_json("ada", 21_031_067, "User"), "body": "Please add a test",
            "commit_id": "ec26c3e", "submitted_at": "2026-11-20T09:00:00Z", "state": "changes_requested",
            "html_url": "https://github.com/river/mill/pull/12#pullrequestreview-237895671",
            "author_association": "MEMBER",
        },
    });
    let review = Review {
        state: "changes_requested".to_owned(),
        body: some("Please add a test"),
        commit_id: some("ec26c3e"),
        html_url: some("https://github.com/river/mill/pull/12#pullrequestreview-237895671"),
        author: Some(account("ada", 21_031_067, "User")),
        author_association: some("MEMBER"),
    };
    let subject = Subject::Review { pull_request: pull_request(), review };
    check("pull_request_review", "submitted", parts, subject);
}

#[test]
fn a_push_tells_from_where_to_where() {
    let zeros = "0".repeat(40);
    let parts = json!({
        "ref": "refs/heads/main", "before": "6113728", "after": "ec26c3e", "created": false, "deleted": false,
        "forced": true, "base_ref": null, "compare": "https://github.com/river/mill/compare/6113728...ec26c3e",
        "commits": [], "pusher": {"name": "ada", "email": "ada@example.org"},
        "head_commit": {"id": "ec26c3e", "message": "Turn right\n\nIt did not.", "timestamp": "2026-11-20T10:00:00Z"},
    });
    let push = Push {
        reference: "refs/heads/main".to_owned(),
        before: some("6113728"),
        after: some("ec26c3e"),
        created: Some(false),
        deleted: Some(false),
        forced: Some(true),
        compare: some("https://github.com/river/mill/compare/6113728...ec26c3e"),
        head_message: some("Turn right\n\nIt did not."),
    };
    assert_eq!((push.branch(), push.is_deletion()), (Some("main"), false));
    check("push", "none", parts, Subject::Push(push));

    let gone = json!({"ref": "refs/tags/v1", "after": zeros, "deleted": true, "head_commit": null});
    let Subject::Push(push) = read("push", &gone).subject else { panic!("a push") };
    assert_eq!(
        (push.branch(), push.is_deletion(), push.head_message.as_deref()),
        (None, true, None)
    );
}
