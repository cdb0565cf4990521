//! Many deliveries, and clients that mean no good, at the same time.
//!
//! `LOAD_DELIVERIES` is how many different deliveries are sent; `make load` sends a hundred thousand.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use testkit::TestStore;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{interval, timeout},
};

use crate::{
    client,
    receiver::{Receiver, labeled, signed},
};

fn deliveries() -> usize {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
    let given = std::env::var("LOAD_DELIVERIES").ok();
    given.and_then(|it| it.parse().ok()).unwrap_or(500)
}

/// Each number once, a fifth of them twice, in an order that looks random.
fn shuffled(different: usize) -> Vec<usize> {
    let mut sent: Vec<usize> = (0..different).chain((0..different).step_by(5)).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_usize;
    for end in (1..sent.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        sent.swap(end, state % (end + 1));
    }
    sent
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into what was measured"
    )]
    let index = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[index]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_id_has_one_row_and_one_run_however_often_and_in_whatever_order_it_comes() {
    let test = TestStore::postgres().await;
    let replicas = [Receiver::start(&test.store).await, Receiver::start(&test.store).await];
    let different = deliveries();
    let order = shuffled(different);
    let next = AtomicUsize::new(0);
    let sender = async |which: usize| {
        let mut answers = Vec::new();
        loop {
            let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return answers;
            };
            let payload = labeled(i64::try_from(*number).unwrap(), "wish");
            let id = format!("id-{number}");
            let begun = Instant::now();
            // One in twenty comes to both replicas at the same moment.
            let copies = if number % 20 == 0 { 2 } else { 1 };
            let sent = (0..copies)
                .map(|copy| replicas[(which + copy) % 2].deliver(&id, "issues", &payload));
            for answer in join_all(sent).await {
                assert_eq!(answer.status, 202, "{answer:?}");
                answers.push((*number, answer.field("status").to_owned(), begun.elapsed()));
            }
        }
    };
    let answers: Vec<_> = join_all((0..16).map(sender)).await.concat();

    let mut accepted: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, status, _) in &answers {
        match status.as_str() {
            "accepted" => *accepted.entry(*number).or_default() += 1,
            other => assert_eq!(other, "duplicate"),
        }
    }
    assert_eq!(accepted.len(), different);
    assert!(
        accepted.values().all(|times| *times == 1),
        "one answer of each id says that it started"
    );
    let expected = i64::try_from(different).unwrap();
    assert_eq!(test.number("SELECT count(*) FROM deliveries").await, expected);
    assert_eq!(test.number("SELECT count(*) FROM runs").await, expected);

    let mut times: Vec<Duration> = answers.iter().map(|it| it.2).collect();
    times.sort_unstable();
    let (middle, late, last) =
        (percentile(&times, 0.5), percentile(&times, 0.99), percentile(&times, 1.0));
    println!("{} deliveries: p50 {middle:?}, p99 {late:?}, at most {last:?}", times.len());
    assert!(last < Duration::from_secs(2), "{last:?}");
}

/// Bytes of memory that this process has.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_too_large_are_refused_without_being_held() {
    const LIMIT: usize = 26_214_400;
    const MIB: usize = 1_024 * 1_024;
    let test = TestStore::sqlite().await;
    let receiver = Receiver::start(&test.store).await;
    receiver.deliver("before", "ping", &serde_json::json!({})).await;
    let before = resident();

    // Announced as one byte too large, and sent all the same.
    let announced = join_all((0..50).map(async |_| {
        let mut headers = signed("large", "ping", b"");
        headers.push(("content-length", (LIMIT + 1).to_string()));
        let start = [client::head(&headers).into_bytes(), vec![b'x'; 64 * 1_024]].concat();
        client::send(receiver.address, &start).await.status
    }))
    .await;
    assert_eq!(announced, [413; 50]);
    let grown = resident().saturating_sub(before) / MIB;
    assert!(grown < 32, "{grown} MiB for fifty refused bodies");

    // Not announced: four at once are held up to the limit, and no further.
    let chunked = join_all((0..4).map(async |_| {
        let mut headers = signed("large", "ping", b"");
        headers.push(("transfer-encoding", "chunked".to_owned()));
        let stream = TcpStream::connect(receiver.address).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(client::head(&headers).as_bytes()).await.unwrap();
        let piece = ["10000\r\n", &"x".repeat(0x1_0000), "\r\n"].concat();
        let sending = tokio::spawn(async move {
            // Far more than the limit, for as long as somebody reads.
            for _ in 0..LIMIT / 0x1_0000 * 4 {
                if writing.write_all(piece.as_bytes()).await.is_err() {
                    break;
                }
            }
            writing
        });
        let mut first = [0; 12];
        reading.read_exact(&mut first).await.unwrap();
        let _writing = sending.await;
        first
    }))
    .await;
    assert_eq!(chunked, [*b"HTTP/1.1 413"; 4]);
    let grown = resident().saturating_sub(before) / MIB;
    assert!(grown < 4 * 25 * 2 + 64, "{grown} MiB for four bodies of 25 MiB");
    assert_eq!(receiver.deliveries().await, ["before ping skipped"]);
}

/// A client that says `start`, then now and then `piece`, and how long the server bears it.
async fn borne(address: std::net::SocketAddr, start: String, piece: &'static str) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let dribble = async {
        let mut ticks = interval(Duration::from_millis(500));
        if writing.write_all(start.as_bytes()).await.is_err() {
            return;
        }
        loop {
            ticks.tick().await;
            if writing.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    // The server's end, or a reset because it reads no more.
    let end = async { drop(reading.read_to_end(&mut answer).await) };
    let ended = async {
        tokio::select! {
            () = end => {}
            () = dribble, if !start.is_empty() => {}
        }
    };
    timeout(Duration::from_secs(20), ended).await.expect("the server ends the connection");
    let told = String::from_utf8_lossy(&answer);
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 408 "), "{told}");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_idle_clients_are_cut_off_while_others_are_served() {
    let test = TestStore::postgres().await;
    // How fast this machine is at this moment is not what is tried.
    let receiver = Receiver::start_with(&test.store, &["--webhook-answer-ms", "10000"]).await;
    let mut headers = signed("slow", "ping", b"");
    headers.push(("content-length", "100000".to_owned()));
    let slow = client::head(&headers);
    let half_a_head = slow[..slow.len() / 2].to_owned();

    let idle = join_all((0..500).map(|_| borne(receiver.address, String::new(), "")));
    let bodies = join_all((0..50).map(|_| borne(receiver.address, slow.clone(), "x")));
    let heads = join_all((0..50).map(|_| borne(receiver.address, half_a_head.clone(), "x")));
    let over = Arc::new(AtomicBool::new(false));
    let served = async {
        let mut times = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let id = format!("d-{}", times.len());
            let answer = receiver.deliver(&id, "issues", &labeled(7, "wish")).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            times.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        times
    };
    let cut = async {
        let cut = tokio::join!(idle, bodies, heads);
        over.store(true, Ordering::Relaxed);
        [cut.0, cut.1, cut.2].concat()
    };
    let (cut, mut times) = tokio::join!(cut, served);
    let longest = cut.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(10), "{longest:?} until the last was cut off");
    times.sort_unstable();
    let late = percentile(&times, 0.99);
    println!("{} cut off after {longest:?}; {} served, p99 {late:?}", cut.len(), times.len());
    assert!(times.len() > 20, "{} were served", times.len());
    assert!(late < Duration::from_secs(2), "{late:?}");
}
