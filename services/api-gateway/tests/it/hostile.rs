//! Requests that no honest client sends.

use serde_json::json;
use testkit::on_both_stores;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::api::Api;

/// Sends bytes and reads to the end of the connection.
async fn exchange(api: &Api, request: &[u8]) -> String {
    let address = api.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = socket.split();
    let mut answer = Vec::new();
    // The server may answer and close before it has read everything.
    let (_written, _read) =
        tokio::join!(writing.write_all(request), reading.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

on_both_stores!(a_request_whose_length_could_be_read_in_two_ways_is_refused, |db| async move {
    let api = Api::start(db).await;
    let body = json!({"role": "tester", "description": "x"}).to_string();
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let smuggled = "GET /tasks HTTP/1.1\r\nhost: x\r\n\r\n";
    for (framing, body) in [
        (format!("content-length: {length}\r\ntransfer-encoding: chunked"), chunked.clone()),
        (format!("transfer-encoding: chunked\r\ncontent-length: {length}"), chunked.clone()),
        ("transfer-encoding: chunked\r\ncontent-length: 4".to_owned(), chunked.clone() + smuggled),
        (format!("content-length: {length}\r\ncontent-length: {length}"), body.clone()),
        (format!("content-length: {length}\r\ncontent-length: 0"), body.clone()),
        (format!("content-length: {length}, 0"), body.clone()),
        (format!("content-length: +{length}"), body.clone()),
        ("content-length: -1".to_owned(), body.clone()),
        (format!("content-length: 0x{length:x}"), body.clone()),
        ("content-length: 99999999999999999999".to_owned(), body.clone()),
        ("transfer-encoding: xchunked".to_owned(), chunked.clone()),
        ("transfer-encoding: chunked, identity".to_owned(), chunked.clone()),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked".to_owned(), chunked.clone()),
    ] {
        let head = "POST /tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
        let answer = exchange(&api, format!("{head}\r\n{framing}\r\n\r\n{body}").as_bytes()).await;
        assert_eq!(status(&answer), "400", "{framing}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
    assert_eq!(api.get("/tasks").await.body["items"], json!([]));
});

on_both_stores!(headers_have_a_size, |db| async move {
    let api = Api::start(db).await;
    let ask = async |bytes: usize| {
        let padding = "x".repeat(bytes);
        let request = format!(
            "GET /tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\npadding: {padding}\r\n\r\n"
        );
        status(&exchange(&api, request.as_bytes()).await).to_owned()
    };
    assert_eq!(ask(10_000).await, "200");
    // The answer may be lost to the reset, since the rest is not read.
    assert!(matches!(&*ask(1_000_000).await, "431" | ""));
    let many = format!("GET /tasks HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    assert_eq!(status(&exchange(&api, many.as_bytes()).await), "431");
    let long = format!(
        "GET /tasks?q={} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "x".repeat(60_000)
    );
    assert!(matches!(status(&exchange(&api, long.as_bytes()).await), "200" | "400"));
});

on_both_stores!(whatever_is_done_to_a_cursor_it_is_refused_or_names_a_place, |db| async move {
    let api = Api::start(db).await;
    for _ in 0..3 {
        api.task().await;
    }
    let first = api.get("/tasks?limit=1").await.expect(200);
    let cursor = first.text("nextCursor").to_owned();
    let mut tried = 0;
    for at in 0..cursor.len() {
        for other in ["0", "f", "9", "G", "%00", "'", "%25", "%F0%9F%98%80", ""] {
            let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            let answer = api.get(&format!("/tasks?limit=1&cursor={changed}")).await;
            match answer.status {
                200 => assert!(answer.body["items"].is_array()),
                _ => drop(answer.expect(400)),
            }
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried}");
    // A cursor of one list in another of the same kind of ids is a place in it; of another kind it is refused.
    api.get(&format!("/runs?cursor={cursor}")).await.expect(200);
    api.get(&format!("/tasks?cursor={cursor}{cursor}")).await.refused(400, "invalid_cursor");
    api.get(&format!("/tasks?cursor={cursor}&cursor={cursor}")).await.refused(400, "invalid_query");
});

on_both_stores!(a_page_has_a_size, |db| async move {
    let api = Api::start(db).await;
    for list in ["/tasks", "/runs", "/deliveries", "/dlq"] {
        for limit in
            ["0", "-1", "201", "1e2", "99999999999", "4294967297", "x", "", "%00", "1.0", "+1%20"]
        {
            let refused =
                api.get(&format!("{list}?limit={limit}")).await.refused(400, "invalid_query");
            assert_eq!(refused.fields(), ["limit"], "{list} {limit}");
        }
        api.get(&format!("{list}?limit=200")).await.expect(200);
    }
});

on_both_stores!(a_nul_in_a_body_is_refused_by_its_field, |db| async move {
    let api = Api::start(db).await;
    let body = json!({"role": "tester", "description": "x", "payload": {"a": ["b", "c\0"]}});
    let refused = api.post("/tasks", body).await.refused(400, "invalid_json");
    assert_eq!(refused.fields(), ["payload.a[1]"]);
});
