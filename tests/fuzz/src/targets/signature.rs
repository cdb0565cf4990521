//! The signature of a delivery: its header, a line, and the body that it is said to be of.

use github::{Signature, WebhookSecrets};
use secrecy::SecretString;

use crate::line;

const HEADER: &str = "X-Hub-Signature-256";

/// Only the exact value that the secret gives for the body gets in, in the one form that GitHub writes.
pub(super) fn check(input: &[u8]) {
    let (value, body) = line(input);
    let secrets = WebhookSecrets::parse(&SecretString::from("seed")).expect("one secret");
    let right = secrets.sign(body);
    let accepted = |value: &[u8]| {
        Signature::from_headers([(HEADER, value)])
            .is_ok_and(|signature| secrets.verify(&signature, body).is_ok())
    };
    assert_eq!(accepted(value), value == right.as_bytes(), "the header as it came");
    assert!(accepted(right.as_bytes()), "the right header");
    assert!(!accepted(right.to_uppercase().as_bytes()), "in capitals");
    assert!(!accepted(&right.as_bytes()[..right.len() - 1]), "cut short");
    let twice = Signature::from_headers([(HEADER, value), (HEADER, right.as_bytes())]);
    assert!(twice.is_err(), "two headers");

    let rotated = WebhookSecrets::parse(&SecretString::from("new,seed")).expect("two secrets");
    let read = Signature::from_headers([(HEADER, right.as_bytes())]).expect("our own form");
    assert!(rotated.verify(&read, body).is_ok(), "while one secret replaces another");
    let mut changed = body.to_vec();
    changed.push(b' ');
    assert!(secrets.verify(&read, &changed).is_err(), "another body");
}
