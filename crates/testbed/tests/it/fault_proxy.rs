//! Connections that stall, lag and break.

use std::time::{Duration, Instant};

use testbed::{Direction, FaultProxy, Rule};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Longer than anything takes that works, shorter than a person waits.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to tell that nothing comes.
const NOTHING: Duration = Duration::from_millis(200);

#[tokio::test]
async fn bytes_pass_both_ways() {
    let (_proxy, mut client) = connected().await;
    assert_eq!(echo(&mut client, b"hello", SOON).await, Some(b"hello".to_vec()));
}

#[tokio::test]
async fn stalled_bytes_come_when_it_is_over_whichever_way_they_went() {
    for direction in Direction::BOTH {
        let (proxy, mut client) = connected().await;
        proxy.set(direction, Rule::Stall);
        assert_eq!(echo(&mut client, b"hello", NOTHING).await, None, "{direction:?}");
        proxy.heal();
        assert_eq!(read(&mut client, 5, SOON).await, Some(b"hello".to_vec()), "{direction:?}");
    }
}

#[tokio::test]
async fn a_delay_delays_and_keeps_the_order() {
    let (proxy, mut client) = connected().await;
    proxy.set(Direction::ToServer, Rule::Delay(Duration::from_millis(150)));
    let began = Instant::now();
    client.write_all(b"one").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    proxy.set(Direction::ToServer, Rule::Pass);
    assert_eq!(echo(&mut client, b"two", SOON).await, Some(b"one".to_vec()));
    assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    assert_eq!(read(&mut client, 3, SOON).await, Some(b"two".to_vec()));
}

#[tokio::test]
async fn a_connection_breaks_after_so_many_bytes() {
    let (proxy, mut client) = connected().await;
    proxy.set(Direction::ToClient, Rule::CutAfter(4));
    client.write_all(b"hello").await.unwrap();
    let mut received = Vec::new();
    let ended = tokio::time::timeout(SOON, client.read_to_end(&mut received)).await;
    assert!(ended.is_ok(), "the connection ends");
    assert_eq!(received, b"hell");
}

#[tokio::test]
async fn a_cut_ends_what_is_there_and_a_refusal_what_comes() {
    let (proxy, mut client) = connected().await;
    assert!(echo(&mut client, b"a", SOON).await.is_some());
    proxy.cut();
    assert_eq!(read(&mut client, 1, SOON).await, None);
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(echo(&mut second, b"b", SOON).await, Some(b"b".to_vec()), "new ones are let in");
    proxy.refuse(true);
    assert_eq!(echo(&mut second, b"c", SOON).await, Some(b"c".to_vec()), "old ones stay");
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(echo(&mut third, b"d", SOON).await, None);
}

/// A proxy before a server that sends back what it gets, and a connection through it.
async fn connected() -> (FaultProxy, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    let proxy = FaultProxy::before(upstream).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, client)
}

async fn echo(client: &mut TcpStream, bytes: &[u8], limit: Duration) -> Option<Vec<u8>> {
    client.write_all(bytes).await.ok()?;
    read(client, bytes.len(), limit).await
}

/// So many bytes; none if they do not come, or the connection ends.
async fn read(client: &mut TcpStream, count: usize, limit: Duration) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    tokio::time::timeout(limit, client.read_exact(&mut bytes)).await.ok()?.ok()?;
    Some(bytes)
}
