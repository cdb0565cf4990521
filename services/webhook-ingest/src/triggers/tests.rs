mod payloads;

use domain::task::Priority;
use serde_json::{Value, json};

use self::payloads::{check_run, comment, deployment, issue, payload, pull_request, push};
use super::*;

fn rules() -> Rules {
    Rules {
        task_labels: vec!["ai-task".to_owned(), "auto-task".to_owned()],
        clone_hosts: vec!["git.internal:8443".to_owned()],
        app_id: Some(4_711),
    }
}

fn decide(event: &str, payload: &Value) -> Decision {
    let envelope = github::parse(event, payload.to_string().as_bytes()).unwrap();
    rules().decide("72d3162e-cc78-11e3-81ab-4c9367dc0958", Some(4_711), &envelope)
}

/// A decision in one line: what starts, how urgent, where, and under which title; or why nothing does.
fn told(decision: &Decision) -> String {
    match decision {
        Decision::Skip(reason) => format!("skipped: {reason}"),
        Decision::Start { trigger, .. } => {
            let work = match trigger.work {
                Work::Grow => "grow".to_owned(),
                Work::Single(role) => role.to_string(),
            };
            let base = trigger.base_ref.as_deref().unwrap_or("-");
            format!("{work} p{} {base}: {}", trigger.priority.get(), trigger.title)
        }
    }
}

#[track_caller]
fn check(event: &str, action: Option<&str>, about: Value, expected: &str) {
    assert_eq!(told(&decide(event, &payload(action, about))), expected, "{event} {action:?}");
}

#[test]
fn issues_start_the_team_by_label_and_one_role_by_action() {
    let labeled = |label: &str| json!({"issue": issue(&["bug", label]), "label": {"name": label}});
    check("issues", Some("labeled"), labeled("ai-task"), "grow p4 -: The parser loses commas");
    check("issues", Some("labeled"), labeled("Auto-Task"), "grow p4 -: The parser loses commas");
    check(
        "issues",
        Some("opened"),
        json!({"issue": issue(&["ai-task"])}),
        "grow p5 -: The parser loses commas",
    );

    let plain = || json!({"issue": issue(&["enhancement"])});
    check(
        "issues",
        Some("opened"),
        plain(),
        "architect p6 -: Issue #7 opened: The parser loses commas",
    );
    check(
        "issues",
        Some("reopened"),
        plain(),
        "architect p6 -: Issue #7 reopened: The parser loses commas",
    );
    check(
        "issues",
        Some("closed"),
        plain(),
        "maintainer p6 -: Issue #7 closed: The parser loses commas",
    );
    check(
        "issues",
        Some("edited"),
        plain(),
        "implementer p6 -: Issue #7 edited: The parser loses commas",
    );
    check(
        "issues",
        Some("assigned"),
        plain(),
        "implementer p6 -: Issue #7 assigned: The parser loses commas",
    );
    check(
        "issues",
        Some("labeled"),
        labeled("regression"),
        "implementer p2 -: Issue #7 labeled: The parser loses commas",
    );
}

#[test]
fn a_label_on_a_closed_issue_does_not_start_the_team() {
    let mut closed = issue(&["ai-task"]);
    closed["state"] = json!("closed");
    let about = json!({"issue": closed, "label": {"name": "ai-task"}});
    check(
        "issues",
        Some("labeled"),
        about,
        "implementer p5 -: Issue #7 labeled: The parser loses commas",
    );
}

#[test]
fn comments_pull_requests_and_reviews_go_to_the_reviewer() {
    let on_issue = |body: &str| json!({"issue": issue(&[]), "comment": comment(body, None)});
    let expected = "reviewer p5 -: Comment on issue #7: The parser loses commas";
    check("issue_comment", Some("created"), on_issue("I see it too"), expected);
    check("issue_comment", Some("edited"), on_issue("see docs/orchestrator"), expected);
    check("issue_comment", Some("created"), on_issue("/orchestrators unite"), expected);
    check(
        "issue_comment",
        Some("deleted"),
        on_issue("I see it too"),
        "skipped: the comment was deleted",
    );

    let mut on_pull_request = issue(&[]);
    on_pull_request["pull_request"] =
        json!({"url": "https://api.github.com/repos/octocat/Hello-World/pulls/7"});
    let about = json!({"issue": on_pull_request, "comment": comment("Nice", None)});
    check(
        "issue_comment",
        Some("created"),
        about,
        "reviewer p5 -: Comment on pull request #7: The parser loses commas",
    );

    let ours = || json!({"pull_request": pull_request("octocat/Hello-World")});
    check(
        "pull_request",
        Some("opened"),
        ours(),
        "reviewer p5 keep-commas: Pull request #3 opened: Keep commas",
    );
    check(
        "pull_request",
        Some("synchronize"),
        ours(),
        "reviewer p5 keep-commas: Pull request #3 synchronize: Keep commas",
    );
    let fork = json!({"pull_request": pull_request("mallory/Hello-World")});
    check(
        "pull_request",
        Some("opened"),
        fork,
        "reviewer p5 -: Pull request #3 opened: Keep commas",
    );

    let review = json!({"state": "changes_requested", "body": "Tests?", "user": {"login": "octocat", "type": "User"}});
    let about = json!({"pull_request": pull_request("octocat/Hello-World"), "review": review});
    let expected =
        "reviewer p5 keep-commas: Review (changes_requested) of pull request #3: Keep commas";
    check("pull_request_review", Some("submitted"), about, expected);
}

#[test]
fn commands_are_recorded_and_wait_for_their_time() {
    for body in ["/orchestrator approve", "Thanks!\n  /orchestrator retry", "/orchestrator"] {
        let about = json!({"issue": issue(&[]), "comment": comment(body, None)});
        check("issue_comment", Some("created"), about, "skipped: commands come later");
    }
}

#[test]
fn only_a_check_that_ended_badly_goes_to_the_tester() {
    let run = check_run;
    check(
        "check_run",
        Some("created"),
        run("queued", None, "main"),
        "skipped: the check has not ended",
    );
    check(
        "check_run",
        Some("completed"),
        run("completed", Some("success"), "main"),
        "skipped: the check ended with success: nothing is broken",
    );
    check(
        "check_run",
        Some("completed"),
        run("completed", Some("cancelled"), "main"),
        "skipped: the check ended with cancelled: nothing is broken",
    );
    let red = |branch: &str| run("completed", Some("failure"), branch);
    check(
        "check_run",
        Some("completed"),
        red("main"),
        "tester p2 main: Check build ended with failure on main",
    );
    check(
        "check_run",
        Some("completed"),
        red("topic"),
        "tester p4 topic: Check build ended with failure on topic",
    );
    check(
        "check_run",
        Some("completed"),
        red("orchestrator/0197"),
        "skipped: orchestrator/0197 is a branch of the orchestrator",
    );

    let suite = json!({"check_suite": {
        "status": "completed", "conclusion": "timed_out", "head_branch": "main", "app": {"name": "CI"}, "pull_requests": [],
    }});
    check(
        "check_suite",
        Some("completed"),
        suite,
        "tester p2 main: Check suite CI ended with timed_out on main",
    );
    let workflow = json!({"workflow_run": {
        "name": "ci.yml", "status": "completed", "conclusion": "failure", "head_branch": "topic",
        "html_url": "https://github.com/octocat/Hello-World/actions/runs/1", "pull_requests": [{"number": 3}],
    }});
    check(
        "workflow_run",
        Some("completed"),
        workflow,
        "tester p4 topic: Workflow ci.yml ended with failure on topic",
    );
    let status = |state: &str| json!({"state": state, "context": "ci/jenkins", "sha": "ab", "branches": [{"name": "main"}]});
    check(
        "status",
        None,
        status("error"),
        "tester p2 main: Status ci/jenkins ended with error on main",
    );
    check("status", None, status("pending"), "skipped: the check has not ended");
}

#[test]
fn pushes_go_to_the_architect_but_for_our_own() {
    check("push", None, push("refs/heads/main", false), "architect p5 main: Push to main");
    check("push", None, push("refs/tags/v1", false), "architect p5 -: Push to refs/tags/v1");
    check("push", None, push("refs/heads/main", true), "skipped: main was deleted");
    let own = push("refs/heads/orchestrator/0197", false);
    check("push", None, own, "skipped: orchestrator/0197 is a branch of the orchestrator");
}

#[test]
fn deployments_that_ended_go_to_the_maintainer() {
    let event = "deployment_status";
    check(
        event,
        Some("created"),
        deployment("success"),
        "maintainer p5 main: Deployment to production: success",
    );
    check(
        event,
        Some("created"),
        deployment("failure"),
        "maintainer p5 main: Deployment to production: failure",
    );
    check(
        event,
        Some("created"),
        deployment("in_progress"),
        "skipped: the deployment has not ended",
    );
}

#[test]
fn what_no_rule_knows_is_recorded_with_the_reason() {
    check(
        "ping",
        None,
        json!({"zen": "Keep it logically awesome.", "hook_id": 1}),
        "skipped: a ping starts no work",
    );
    let installation =
        || json!({"installation": {"id": 5, "account": {"login": "octocat", "type": "User"}}});
    check(
        "installation",
        Some("created"),
        installation(),
        "skipped: an installation starts no work",
    );
    check(
        "installation_repositories",
        Some("added"),
        installation(),
        "skipped: an installation starts no work",
    );
    check(
        "watch",
        Some("started"),
        json!({}),
        "skipped: no rule starts work for the event `watch`",
    );
    check("new_event", None, json!({}), "skipped: no rule starts work for the event `new_event`");
    check(
        "issues",
        Some("opened"),
        json!({"issue": 7}),
        "skipped: the payload is not as this event's payloads are",
    );
}

#[test]
fn what_bots_and_we_ourselves_do_starts_nothing() {
    let reason = "is a bot: what bots do starts no work, so that two never keep each other busy";
    let by = |login: &str, kind: &str| {
        let mut payload = payload(Some("opened"), json!({"issue": issue(&["ai-task"])}));
        payload["sender"] = json!({"login": login, "id": 2, "type": kind});
        told(&decide("issues", &payload))
    };
    assert_eq!(by("dependabot[bot]", "Bot"), format!("skipped: dependabot[bot] {reason}"));
    assert_eq!(by("renovate[bot]", "User"), format!("skipped: renovate[bot] {reason}"));
    assert_eq!(by("octocat", "User"), "grow p5 -: The parser loses commas");

    let via = |app| json!({"issue": issue(&[]), "comment": comment("done", Some(app))});
    check("issue_comment", Some("created"), via(4_711), "skipped: our own App wrote the comment");
    check(
        "issue_comment",
        Some("created"),
        via(1),
        "reviewer p5 -: Comment on issue #7: The parser loses commas",
    );
}

#[test]
fn a_delivery_for_another_app_starts_nothing() {
    let payload = payload(Some("opened"), json!({"issue": issue(&[])}));
    let envelope = github::parse("issues", payload.to_string().as_bytes()).unwrap();
    let told_to = |target| told(&rules().decide("id", target, &envelope));
    assert_eq!(told_to(Some(1)), "skipped: it was sent to App 1, and we are App 4711");
    assert_eq!(told_to(None), "architect p5 -: Issue #7 opened: The parser loses commas");
}

#[test]
fn the_trigger_carries_the_whole_story() {
    let about = json!({"issue": issue(&["bug", "ai-task"]), "label": {"name": "ai-task"}});
    let Decision::Start { trigger, first } = decide("issues", &payload(Some("labeled"), about))
    else {
        panic!()
    };
    assert_eq!(
        *trigger,
        Trigger {
            source: Source::Webhook {
                delivery_id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
                event: "issues".to_owned(),
                action: Some("labeled".to_owned()),
                number: Some(7),
            },
            repository: Some("octocat/Hello-World".to_owned()),
            base_ref: None,
            title: "The parser loses commas".to_owned(),
            body: "Steps:\n1. parse `a,b`".to_owned(),
            url: Some("https://github.com/octocat/Hello-World/issues/7".to_owned()),
            priority: Priority::BUG,
            work: Work::Grow,
        }
    );
    assert_eq!(first, Some(first_run("octocat/Hello-World", 7)));
}

#[test]
fn a_clone_url_is_used_only_from_hosts_that_the_operator_named() {
    let check = |clone_url: &str, expected: &str| {
        let mut payload = payload(Some("opened"), json!({"issue": issue(&[])}));
        payload["repository"]["clone_url"] = json!(clone_url);
        let Decision::Start { trigger, .. } = decide("issues", &payload) else { panic!() };
        assert_eq!(trigger.repository.as_deref(), Some(expected));
    };
    let known = "https://git.internal:8443/octocat/Hello-World.git";
    check(known, known);
    check("https://git.internal/octocat/Hello-World.git", "octocat/Hello-World");
    check("https://github.com/octocat/Hello-World.git", "octocat/Hello-World");
    check("file://git.internal:8443/etc", "octocat/Hello-World");
    check("not a url", "octocat/Hello-World");
}

#[test]
fn text_from_outside_is_bounded_and_has_no_nul() {
    let mut long = issue(&[]);
    long["title"] = json!("a\u{0}b\nc");
    long["body"] = json!(format!("\u{0}{}", "x".repeat(100_000)));
    let payload = payload(Some("op\u{0}ened"), json!({"issue": long}));
    let Decision::Start { trigger, .. } = decide("issues", &payload) else { panic!() };
    assert_eq!(trigger.title, "Issue #7 opened: abc");
    assert!(
        (32_000..=domain::limits::TRIGGER_CHARS).contains(&trigger.body.len()),
        "{}",
        trigger.body.len()
    );
    assert!(!trigger.body.contains('\0'));
}
