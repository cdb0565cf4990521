//! More than two hundred deliveries that are none: each is refused, none leaves a row, and nothing fails.

use serde_json::json;
use testkit::{TestStore, on_both_stores};

use crate::{
    client,
    receiver::{Receiver, labeled, signed},
};

/// A whole request that must be refused, and what it is.
type Case = (String, Vec<u8>);

fn request(headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut headers = headers.to_vec();
    headers.push(("content-length", body.len().to_string()));
    [client::head(&headers).as_bytes(), body].concat()
}

/// The usual headers, signed, with some taken out and others put in.
fn with(body: &[u8], without: &[&str], more: &[(&'static str, String)]) -> Vec<u8> {
    let mut headers = signed("malformed", "issues", body);
    headers.retain(|(name, _)| !without.contains(name));
    headers.extend(more.iter().cloned());
    request(&headers, body)
}

/// Signed, and no payload.
fn no_payloads(whole: &[u8]) -> Vec<Case> {
    let cut = (0..60).map(|piece| whole[..whole.len() * piece / 60].to_vec());
    let other: [&[u8]; 22] = [
        b"",
        b" ",
        b"null",
        b"true",
        b"0",
        b"-",
        b"\"text\"",
        b"[]",
        b"[{}]",
        b"{]",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"{\"a\":1}{\"b\":2}",
        b"{\"a\":1} x",
        b"{\"a\":\"\\ud800\"",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":\"\x01\"}",
        b"{\"\xff\":1}",
        b"\xef\xbb\xbf{}",
        b"\x00",
        b"<payload/>",
    ];
    let deep = ["[".repeat(10_000).into_bytes(), "{\"a\":".repeat(10_000).into_bytes()];
    let bodies = cut.chain(other.iter().map(|it| it.to_vec())).chain(deep);
    bodies
        .map(|body| {
            (
                format!("signed: {}", body[..body.len().min(60)].escape_ascii()),
                with(&body, &[], &[]),
            )
        })
        .collect()
}

/// Signed, and changed on the way.
fn changed_bodies(whole: &[u8]) -> Vec<Case> {
    let headers = signed("malformed", "issues", whole);
    let changed = (0..60).map(|step| {
        let mut body = whole.to_vec();
        body[step * whole.len() / 60] ^= 1 << (step % 8);
        (format!("byte {} changed", step * whole.len() / 60), request(&headers, &body))
    });
    changed.collect()
}

/// With a signature that is not quite the right one.
fn wrong_signatures(body: &[u8]) -> Vec<Case> {
    const NAME: &str = "X-Hub-Signature-256";
    let right = signed("malformed", "issues", body).pop().expect("the signature is last").1;
    let digits = right.len() - "sha256=".len();
    let mut values: Vec<String> = (0..digits)
        .map(|at| {
            let at = at + "sha256=".len();
            let other = if right.as_bytes()[at] == b'0' { "1" } else { "0" };
            format!("{}{other}{}", &right[..at], &right[at + 1..])
        })
        .collect();
    values.extend([
        String::new(),
        "sha256".to_owned(),
        "sha256=".to_owned(),
        right.replace("sha256=", ""),
        right.replace("sha256=", "SHA256="),
        right.replace("sha256=", "sha1="),
        right.replace("sha256=", "sha512="),
        right.replace("sha256=", "sha256= "),
        right.replace("sha256=", "sha256=0x"),
        right.to_uppercase(),
        format!("{right}00"),
        format!("{right},{right}"),
        format!("{right}; {right}"),
        format!("\"{right}\""),
        "sha256=".to_owned() + &"g".repeat(64),
        "sha256=".to_owned() + &"0".repeat(64),
        "sha256=".to_owned() + &"0".repeat(10_000),
    ]);
    values
        .into_iter()
        .map(|value| (format!("signature {value:.80}"), with(body, &[NAME], &[(NAME, value)])))
        .collect()
}

/// Headers that are left out, and those that are sent instead.
type Wrong<'a> = (&'a [&'a str], Vec<(&'static str, String)>);

/// With headers that GitHub does not send.
fn wrong_headers(body: &[u8]) -> Vec<Case> {
    let long = "x".repeat(10_000);
    let wrong: Vec<Wrong<'_>> = vec![
        (&["X-GitHub-Event"], vec![]),
        (&["X-GitHub-Delivery"], vec![]),
        (&["X-Hub-Signature-256"], vec![]),
        (&["Content-Type"], vec![]),
        (&["X-GitHub-Event"], vec![("X-GitHub-Event", String::new())]),
        (&["X-GitHub-Event"], vec![("X-GitHub-Event", "a b".to_owned())]),
        (&["X-GitHub-Event"], vec![("X-GitHub-Event", long.clone())]),
        (&["X-GitHub-Event"], vec![("X-GitHub-Event", "issues\u{e9}".to_owned())]),
        (&[], vec![("X-GitHub-Event", "issues".to_owned())]),
        (&["X-GitHub-Delivery"], vec![("X-GitHub-Delivery", String::new())]),
        (&["X-GitHub-Delivery"], vec![("X-GitHub-Delivery", "a b".to_owned())]),
        (&["X-GitHub-Delivery"], vec![("X-GitHub-Delivery", long.clone())]),
        (&[], vec![("X-GitHub-Delivery", "another".to_owned())]),
        (&["Content-Type"], vec![("Content-Type", "text/plain".to_owned())]),
        (&["Content-Type"], vec![("Content-Type", "multipart/form-data; boundary=x".to_owned())]),
        (&["Content-Type"], vec![("Content-Type", "application/jsonx".to_owned())]),
        (&["Content-Type"], vec![("Content-Type", "application/x-www-form-urlencoded".to_owned())]),
    ];
    wrong
        .into_iter()
        .enumerate()
        .map(|(index, (without, more))| (format!("headers {index}"), with(body, without, &more)))
        .collect()
}

/// What is no request, or could be read as another one by a server behind us.
fn wrong_requests(body: &[u8]) -> Vec<Case> {
    let headers = signed("malformed", "issues", body);
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let text = String::from_utf8_lossy(body);
    let length = body.len();
    let start = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let framed =
        |framing: &str, body: &str| format!("{start}{lines}{framing}\r\n{body}").into_bytes();
    let chunked = format!("{length:x}\r\n{text}\r\n0\r\n\r\n");
    [
        framed(&format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), &chunked),
        framed(&format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"), &chunked),
        framed(&format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1), &text),
        framed(&format!("content-length: {length}\r\ncontent-length: {length}\r\n"), &text),
        framed(&format!("content-length: {length}, {length}\r\n"), &text),
        framed(&format!("content-length: +{length}\r\n"), &text),
        framed(&format!("content-length: -{length}\r\n"), &text),
        framed(&format!("content-length: 0x{length:x}\r\n"), &text),
        framed("content-length: 99999999999999999999999\r\n", &text),
        framed("transfer-encoding: xchunked\r\n", &chunked),
        framed("transfer-encoding: chunked, identity\r\n", &chunked),
        framed("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", &chunked),
        framed("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding: chunked\r\n", "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding: chunked\r\n", "2\r\n{}xx0\r\n\r\n"),
        framed("a header without a colon\r\ncontent-length: 2\r\n", "{}"),
        framed("bad name: x\r\ncontent-length: 2\r\n", "{}"),
        framed("nul: a\0b\r\ncontent-length: 2\r\n", "{}"),
        framed(" folded: x\r\ncontent-length: 2\r\n", "{}"),
        format!("POST /webhooks/github HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(300))
            .into_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"POST /webhooks/github HTTP/9.9\r\n\r\n".to_vec(),
        b"\r\n\r\nnothing at all\r\n\r\n".to_vec(),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, request)| (format!("request {index}"), request))
    .collect()
}

on_both_stores!(what_is_malformed_is_refused_and_leaves_nothing, |test: TestStore| async move {
    let receiver = Receiver::start(&test.store).await;
    let body = labeled(7, "ai-task").to_string().into_bytes();
    let cases = [
        no_payloads(&body),
        changed_bodies(&body),
        wrong_signatures(&body),
        wrong_headers(&body),
        wrong_requests(&body),
    ]
    .concat();
    assert!(cases.len() > 200, "{}", cases.len());
    for (what, request) in &cases {
        let answer = client::send(receiver.address, request).await;
        assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    }
    assert_eq!((receiver.deliveries().await, receiver.runs().await), (vec![], vec![]));

    // And it still works.
    let answer = receiver.deliver("after", "issues", &labeled(7, "ai-task")).await;
    assert_eq!((answer.status, &answer.body["status"]), (202, &json!("accepted")));
});
