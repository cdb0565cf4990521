//! Clients that are slow on purpose.

use std::time::Duration;

use tokio::time::{interval, sleep, timeout};

use crate::client::{Answer, Client, Server};

/// Sends `piece` every 20 ms until there is an answer.
async fn dribble(client: &mut Client, piece: &str) -> Answer {
    let (reader, writer) = client.halves();
    let mut every = interval(Duration::from_millis(20));
    tokio::select! {
        answer = reader.answer() => answer,
        () = async { loop { every.tick().await; writer.try_send(piece).await; } } => unreachable!("it never ends"),
    }
}

/// Goes on sending until the server has closed the connection.
async fn dribble_until_closed(mut client: Client, piece: &str) {
    let mut every = interval(Duration::from_millis(20));
    let closed = async {
        while client.try_send(piece).await {
            every.tick().await;
        }
    };
    timeout(Duration::from_secs(8), closed).await.expect("the connection to be closed");
}

#[tokio::test]
async fn a_body_announced_and_never_sent_is_cut_off() {
    let server = Server::with_routes();
    let mut client = server.connect().await;
    client.send("POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsome").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert_eq!(answer.json()["code"], "body_too_slow");
    client.closed().await;
}

#[tokio::test]
async fn a_body_that_is_dribbled_is_cut_off_although_it_is_never_idle() {
    let server = Server::with_routes();
    for (head, piece) in
        [("content-length: 900", "x"), ("transfer-encoding: chunked", "1\r\nx\r\n")]
    {
        let mut client = server.connect().await;
        client.send(&format!("POST /raw HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n")).await;
        let answer = dribble(&mut client, piece).await;
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{head}");
        dribble_until_closed(client, piece).await;
    }
}

/// actix alone goes on reading a chunked body that nobody wants, for as long as it comes.
#[tokio::test]
async fn a_body_that_no_handler_reads_does_not_keep_its_connection() {
    let server = Server::with_routes();
    for (head, piece) in
        [("content-length: 90000", "x"), ("transfer-encoding: chunked", "1\r\nx\r\n")]
    {
        for path in ["/deaf", "/nowhere"] {
            let mut client = server.connect().await;
            client.send(&format!("POST {path} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n")).await;
            let answer = dribble(&mut client, piece).await;
            assert_eq!(answer.header("connection"), Some("close"), "{path} {head}");
            dribble_until_closed(client, piece).await;
        }
    }
}

#[tokio::test]
async fn headers_that_do_not_come_are_cut_off() {
    let server = Server::with_routes();
    let mut client = server.connect().await;
    client.send("GET /id HTTP/1.1\r\nhost:").await;
    assert_eq!(client.answer().await.status, 408);
    client.closed().await;
}

/// actix alone times only the first head of a connection, and of a later one forgets the keep-alive time as well.
#[tokio::test]
async fn a_later_head_that_is_dribbled_is_cut_off_too() {
    let server = Server::with_routes();
    for first in [
        "GET /id HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab",
        "POST /raw HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(first).await;
        assert_eq!(client.answer().await.status, 200);
        client.send("GET /id HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
        dribble_until_closed(client, "x").await;
    }
}

#[tokio::test]
async fn a_later_head_that_begins_and_never_ends_is_cut_off_too() {
    let server = Server::with_routes();
    let mut client = server.connect().await;
    client.send("GET /id HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.send("G").await;
    client.closed().await;
}

/// The limit is on heads: the time between two requests does not count, nor that of a body.
#[tokio::test]
async fn a_connection_that_is_used_now_and_then_is_not_cut_off() {
    let server = Server::with_routes();
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send("POST /raw HTTP/1.1\r\nhost: x\r\n").await;
        sleep(Duration::from_millis(300)).await;
        client.send("content-length: 6\r\n\r\n").await;
        for _ in 0..2 {
            sleep(Duration::from_millis(50)).await;
            client.send("abc").await;
        }
        assert_eq!(client.answer().await.body, "6");
        sleep(Duration::from_millis(1_200)).await;
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests_chunked_ones_too() {
    let server = Server::with_routes();
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send("POST /raw HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.body, "3");
        client.send("POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab").await;
        assert_eq!(client.answer().await.body, "2");
    }
}
