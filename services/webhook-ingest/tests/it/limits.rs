//! Bodies that are too large, too slow, or too many.

use std::time::{Duration, Instant};

use testkit::{TestStore, on_both_stores};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    client,
    receiver::{Receiver, signed},
};

/// A body of exactly so many bytes that is a payload.
fn payload_of(bytes: usize) -> Vec<u8> {
    let frame = br#"{"zen":""}"#.len();
    format!(r#"{{"zen":"{}"}}"#, "x".repeat(bytes - frame)).into_bytes()
}

on_both_stores!(
    a_delivery_of_25_mb_is_taken_and_one_byte_more_is_not,
    |test: TestStore| async move {
        const LIMIT: usize = 26_214_400;
        let receiver = Receiver::start(&test.store).await;
        let whole = payload_of(LIMIT);
        assert_eq!(receiver.post(&signed("fits", "ping", &whole), &whole).await.status, 202);

        // Refused by what it says of its length: none of it is sent.
        let mut headers = signed("large", "ping", b"");
        headers.push(("content-length", (LIMIT + 1).to_string()));
        let refused = client::send(receiver.address, client::head(&headers).as_bytes()).await;
        assert_eq!((refused.status, refused.field("code")), (413, "body_too_large"));
        assert_eq!(receiver.deliveries().await, ["fits ping skipped"]);
    }
);

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_is_refused_as_soon_as_it_is_too_large() {
    let test = TestStore::sqlite().await;
    let receiver = Receiver::start_with(&test.store, &["--webhook-body-limit-bytes", "1024"]).await;
    let mut headers = signed("chunked", "ping", b"");
    headers.push(("transfer-encoding", "chunked".to_owned()));
    // 1,024 bytes, one more, and no end.
    let chunks = format!("400\r\n{}\r\n1\r\nx\r\n", "x".repeat(1_024));
    let answer =
        client::send(receiver.address, (client::head(&headers) + &chunks).as_bytes()).await;
    assert_eq!((answer.status, answer.field("code")), (413, "body_too_large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_cut_off() {
    let test = TestStore::sqlite().await;
    let limits = ["--webhook-body-idle-ms", "200", "--webhook-body-total-ms", "600"];
    let receiver = Receiver::start_with(&test.store, &limits).await;
    let mut headers = signed("slow", "ping", b"");
    headers.push(("content-length", "1000".to_owned()));
    let head = client::head(&headers);

    // Announced and never sent.
    let begun = Instant::now();
    let silent = client::send(receiver.address, head.as_bytes()).await;
    assert_eq!((silent.status, silent.field("code")), (408, "body_too_slow"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // A byte now and then: never idle for long, and never done.
    let stream = TcpStream::connect(receiver.address).await.unwrap();
    let (reading, mut writing) = stream.into_split();
    writing.write_all(head.as_bytes()).await.unwrap();
    let dribble = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            if writing.write_all(b"x").await.is_err() {
                return writing;
            }
        }
    });
    let mut reading = reading;
    let mut first = vec![0; 12];
    let read = tokio::io::AsyncReadExt::read_exact(&mut reading, &mut first);
    timeout(Duration::from_secs(5), read).await.unwrap().unwrap();
    assert_eq!(first, b"HTTP/1.1 408");
    dribble.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_take_no_more_than_their_room() {
    let test = TestStore::sqlite().await;
    let receiver = Receiver::start_with(&test.store, &["--webhook-room-bytes", "1048576"]).await;
    let large = payload_of(2_000_000);
    let refused = receiver.post(&signed("large", "ping", &large), &large).await;
    assert_eq!((refused.status, refused.field("code")), (503, "no_room"));
    assert_eq!(refused.header("retry-after"), Some("5"));

    // What was taken of the room is given back, by the refused and by the accepted.
    let fits = payload_of(1_000_000);
    for id in ["first", "second"] {
        assert_eq!(receiver.post(&signed(id, "ping", &fits), &fits).await.status, 202, "{id}");
    }
}
