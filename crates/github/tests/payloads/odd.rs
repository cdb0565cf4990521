//! Payloads that are not as documented, and bodies that are none.

use github::{Envelope, Issue, MalformedPayload, Subject, parse, payload_json};
use serde_json::{Value, json};

use crate::{check, issue_json, payload, read};

#[test]
fn a_part_of_another_shape_is_absent_and_no_error() {
    let envelope = read(
        "issues",
        &json!({
            "action": 7, "repository": "river/mill", "sender": {"id": 1}, "installation": {"id": "x"},
            "issue": {"number": "seven", "title": "t"},
        }),
    );
    let nothing = Envelope {
        event: "issues".to_owned(),
        action: None,
        repository: None,
        sender: None,
        installation_id: None,
        subject: Subject::Unreadable,
    };
    assert_eq!(envelope, nothing);
    assert_eq!(read("issues", &json!({})), nothing);

    let issue = json!({
        "number": 7, "title": "t", "body": ["x"], "state": null, "labels": [{"name": "a"}, "b", {"nome": "c"}],
        "user": 7, "html_url": {}, "author_association": 1, "pull_request": null,
    });
    let expected = Issue {
        number: 7,
        title: "t".to_owned(),
        body: None,
        state: None,
        labels: vec!["a".to_owned()],
        html_url: None,
        author: None,
        author_association: None,
        is_pull_request: false,
    };
    check(
        "issues",
        "opened",
        json!({"issue": issue}),
        Subject::Issue { issue: expected, label: None },
    );
}

#[test]
fn text_is_bounded() {
    let mut long = issue_json();
    long["body"] = Value::from("ü".repeat(100_000));
    long["title"] = Value::from("t".repeat(5_000));
    let Subject::Issue { issue, .. } =
        read("issues", &payload("opened", json!({"issue": long}))).subject
    else {
        panic!("an issue")
    };
    assert_eq!((issue.body.map(|it| it.chars().count()), issue.title.len()), (Some(32_768), 1_024));
}

#[test]
fn a_body_that_is_no_object_is_malformed() {
    for body in [
        "",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{",
        "{\"a\":1",
        "[{\"action\":\"x\"}]",
        "{} {}",
        "\u{feff}{}",
    ] {
        let outcome = parse("push", body.as_bytes());
        assert!(matches!(outcome, Err(MalformedPayload::NotAnObject(_))), "{body:?}: {outcome:?}");
    }
    assert!(parse("push", b"{\"a\":\"\xff\"}").is_ok_and(|it| it.subject == Subject::Unreadable));
}

#[test]
fn the_payload_is_found_in_both_content_types() {
    let check = |content_type: Option<&str>, body: &str, expected: Result<&str, &str>| {
        let outcome = payload_json(content_type, body.as_bytes());
        let outcome =
            outcome.map(|json| String::from_utf8(json.into_owned()).expect("what went in"));
        let outcome = outcome.as_deref().map_err(|error| match error {
            MalformedPayload::NotAnObject(_) => "not an object",
            MalformedPayload::NoPayloadField => "no payload",
            MalformedPayload::ContentType => "content type",
        });
        assert_eq!(outcome, expected, "{content_type:?} {body}");
    };
    let form = Some("application/x-www-form-urlencoded");
    check(Some("application/json"), "{}", Ok("{}"));
    check(Some("Application/JSON; charset=utf-8"), "{}", Ok("{}"));
    check(form, "payload=%7B%22a%22%3A%22b+c%22%7D", Ok("{\"a\":\"b c\"}"));
    check(form, "x=1&payload=%7B%7D&payload=2", Ok("{}"));
    check(form, "{}", Err("no payload"));
    check(Some("text/plain"), "{}", Err("content type"));
    check(None, "{}", Err("content type"));
}
