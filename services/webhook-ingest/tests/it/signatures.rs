//! Only what GitHub signed gets in.

use github::WebhookSecrets;
use secrecy::SecretString;

use testkit::{TestStore, on_both_stores};

use crate::receiver::{Receiver, SECRET, labeled, signed};

fn sign(secret: &str, body: &[u8]) -> String {
    WebhookSecrets::parse(&SecretString::from(secret)).unwrap().sign(body)
}

on_both_stores!(
    what_is_not_signed_by_a_known_secret_is_refused_and_leaves_no_row,
    |test: TestStore| async move {
        let receiver = Receiver::start(&test.store).await;
        let body = labeled(1, "ai-task").to_string().into_bytes();
        let good = sign(SECRET, &body);
        let check = async |signature: Option<String>, status: u16, code: &str| {
            let mut headers = signed("refused", "issues", &body);
            headers.retain(|(name, _)| *name != "X-Hub-Signature-256");
            headers.extend(signature.clone().map(|it| ("X-Hub-Signature-256", it)));
            let answer = receiver.post(&headers, &body).await;
            assert_eq!((answer.status, answer.field("code")), (status, code), "{signature:?}");
        };
        check(None, 401, "unsigned").await;
        check(Some(sign("another", &body)), 401, "bad_signature").await;
        check(Some(sign(SECRET, b"another body")), 401, "bad_signature").await;
        check(Some(good.replace("sha256=", "sha1=")), 401, "bad_signature").await;
        check(Some(good.to_uppercase()), 401, "bad_signature").await;
        check(Some(good[..good.len() - 2].to_owned()), 401, "bad_signature").await;
        assert_eq!((receiver.deliveries().await, receiver.runs().await), (vec![], vec![]));
    }
);

on_both_stores!(while_one_secret_replaces_another_both_get_in, |test: TestStore| async move {
    let receiver =
        Receiver::start_with(&test.store, &["--github-webhook-secret", "old, new"]).await;
    let body = br#"{"zen":"Keep it logically awesome."}"#;
    for (id, secret, status) in [("a", "old", 202), ("b", "new", 202), ("c", SECRET, 401)] {
        let mut headers = signed(id, "ping", body);
        headers.retain(|(name, _)| *name != "X-Hub-Signature-256");
        headers.push(("X-Hub-Signature-256", sign(secret, body)));
        assert_eq!(receiver.post(&headers, body).await.status, status, "{secret}");
    }
    assert_eq!(receiver.deliveries().await, ["b ping skipped", "a ping skipped"]);
});

on_both_stores!(a_signed_body_that_is_no_payload_is_refused, |test: TestStore| async move {
    let receiver = Receiver::start(&test.store).await;
    let check = async |body: &[u8], content_type: &str, status: u16, code: &str| {
        let mut headers = signed("malformed", "issues", body);
        headers[1] = ("Content-Type", content_type.to_owned());
        let answer = receiver.post(&headers, body).await;
        let body = String::from_utf8_lossy(body);
        assert_eq!((answer.status, answer.field("code")), (status, code), "{body}");
    };
    check(b"", "application/json", 400, "bad_payload").await;
    check(b"{", "application/json", 400, "bad_payload").await;
    check(b"[]", "application/json", 400, "bad_payload").await;
    check(b"\xff\xfe", "application/json", 400, "bad_payload").await;
    check(b"load=1", "application/x-www-form-urlencoded", 400, "bad_payload").await;
    check(b"{}", "text/plain", 415, "unsupported_media_type").await;
    assert_eq!(receiver.deliveries().await, Vec::<String>::new());
});

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_without_its_headers_is_refused() {
    let test = TestStore::sqlite().await;
    let receiver = Receiver::start(&test.store).await;
    for missing in ["X-GitHub-Delivery", "X-GitHub-Event"] {
        let mut headers = signed("id", "ping", b"{}");
        headers.retain(|(name, _)| *name != missing);
        let answer = receiver.post(&headers, b"{}").await;
        assert_eq!((answer.status, answer.field("code")), (400, "bad_headers"), "{missing}");
    }
}
