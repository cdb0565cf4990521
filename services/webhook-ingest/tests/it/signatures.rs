//! Only what GitHub signed gets in.

use github::WebhookSecrets;
use ring::hmac;
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

on_both_stores!(
    only_the_one_header_over_the_bytes_as_they_came_counts,
    |test: TestStore| async move {
        let receiver = Receiver::start(&test.store).await;
        let body = labeled(1, "ai-task").to_string().into_bytes();
        let good = ("X-Hub-Signature-256", sign(SECRET, &body));
        let check = async |signatures: &[(&'static str, String)], body: &[u8], code: &str| {
            let mut headers = signed("refused", "issues", body);
            headers.retain(|(name, _)| *name != "X-Hub-Signature-256");
            headers.extend(signatures.iter().cloned());
            let answer = receiver.post(&headers, body).await;
            assert_eq!((answer.status, answer.field("code")), (401, code), "{signatures:?}");
        };
        // What old hooks send: HMAC-SHA-1 of the body, in the header of its own.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
        let sha1 = hmac::sign(&key, &body);
        let digits: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        check(&[("X-Hub-Signature", format!("sha1={digits}"))], &body, "unsigned").await;
        check(&[("X-Hub-Signature-256", format!("sha1={digits}"))], &body, "bad_signature").await;
        check(&[good.clone(), good.clone()], &body, "bad_signature").await;
        check(&[good.clone(), (good.0, sign("another", &body))], &body, "bad_signature").await;
        check(&[(good.0, sign("another", &body)), good.clone()], &body, "bad_signature").await;

        // The same JSON, written otherwise, or packed: other bytes.
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let spaced = format!("{value:#}").into_bytes();
        check(std::slice::from_ref(&good), &spaced, "bad_signature").await;
        let packed = gzip(&body);
        check(&[good.clone(), ("Content-Encoding", "gzip".to_owned())], &packed, "bad_signature")
            .await;
        assert_eq!((receiver.deliveries().await, receiver.runs().await), (vec![], vec![]));

        // Packed bytes that are signed as they are: nothing unpacks them, and so they are no payload.
        let mut headers = signed("packed", "issues", &packed);
        headers.push(("Content-Encoding", "gzip".to_owned()));
        let answer = receiver.post(&headers, &packed).await;
        assert_eq!((answer.status, answer.field("code")), (400, "bad_payload"));
        assert_eq!(receiver.deliveries().await, Vec::<String>::new());
    }
);

/// A gzip file with one stored block, which needs no compression.
fn gzip(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let sizes = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    [&head, &sizes[..], body, &(!crc).to_le_bytes(), &u32::from(length).to_le_bytes()].concat()
}

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
