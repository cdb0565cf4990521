//! Whatever comes, nothing panics.

use github::{DeliveryHeaders, Signature, WebhookSecrets, parse, payload_json};
use proptest::{collection::vec, prelude::*};
use secrecy::SecretString;
use serde_json::Value;

const EVENTS: [&str; 14] = [
    "issues",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "check_run",
    "check_suite",
    "workflow_run",
    "status",
    "push",
    "deployment_status",
    "installation",
    "installation_repositories",
    "ping",
    "star",
];

/// Names that we look for, so that random JSON gets past the first of them.
const NAMES: [&str; 20] = [
    "action",
    "repository",
    "full_name",
    "sender",
    "login",
    "installation",
    "id",
    "issue",
    "number",
    "title",
    "body",
    "labels",
    "name",
    "comment",
    "pull_request",
    "head",
    "ref",
    "check_run",
    "state",
    "head_commit",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((prop::sample::select(&NAMES[..]), inner), 0..8).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(name, it)| (name.to_owned(), it)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn bytes_are_read_or_refused(event in ".{0,40}", body in vec(any::<u8>(), 0..256)) {
        let _ = parse(&event, &body);
        for content_type in ["application/json", "application/x-www-form-urlencoded", "x"] {
            let _ = payload_json(Some(content_type), &body);
        }
    }

    #[test]
    fn every_object_is_read(event in prop::sample::select(&EVENTS[..]), body in json()) {
        let outcome = parse(event, body.to_string().as_bytes());
        prop_assert_eq!(outcome.is_ok(), body.is_object());
    }

    #[test]
    fn headers_are_read_or_refused(
        values in vec((prop::sample::select(&["x-github-event", "x-github-delivery", "x-hub-signature-256"][..]),
            vec(any::<u8>(), 0..80)), 0..4)
    ) {
        let headers: Vec<(&str, &[u8])> = values.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let _ = DeliveryHeaders::from_headers(headers.iter().copied());
        let _ = Signature::from_headers(headers.iter().copied());
    }

    #[test]
    fn a_signature_holds_for_its_body_and_secret_alone(
        body in vec(any::<u8>(), 0..200), secret in "[a-z]{1,20}", at in any::<prop::sample::Index>(), bit in 0..8_u8
    ) {
        let secrets = WebhookSecrets::parse(&SecretString::from(secret.as_str())).expect("one secret");
        let value = secrets.sign(&body);
        let signature = Signature::from_headers([("x-hub-signature-256", value.as_bytes())]).expect("our own form");
        prop_assert!(secrets.verify(&signature, &body).is_ok());
        let others = WebhookSecrets::parse(&SecretString::from(format!("{secret}x"))).expect("one secret");
        prop_assert!(others.verify(&signature, &body).is_err());
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1 << bit;
            prop_assert!(secrets.verify(&signature, &changed).is_err());
        }
    }
}
