//! The service as a whole: its start, its end, its port, and a store that is away.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use clap::Parser;
use queue::announcer::Announcer;
use scheduler::Scheduler;
use store::{DatabaseArgs, Store};
use testkit::{TestStore, eventually, on_both_stores};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, config, hasty};

/// The status and the text of an answer; none while nobody listens.
async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    Some((text.split(' ').nth(1)?.parse().ok()?, text))
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

on_both_stores!(it_serves_its_probes_and_stops_within_a_second, |test: TestStore| async move {
    let address = free_address();
    let port = format!("--port={}", address.port());
    let config = config(&["--host=127.0.0.1", &port]);
    let telemetry = telemetry::init(&config.telemetry, "scheduler").unwrap();
    let queue = queue::connect(&config.queue, "scheduler").await.unwrap();
    let shutdown = CancellationToken::new();
    let running = scheduler::run(config, test.store.clone(), queue, telemetry, shutdown.clone());
    let running = tokio::spawn(running);

    eventually("it is ready", || async { get(address, "/ready").await.filter(|it| it.0 == 200) })
        .await;
    assert_eq!(get(address, "/health").await.unwrap().0, 200);
    let metrics = eventually("every loop has told of a round", || async {
        let metrics = get(address, "/metrics").await?.1;
        let told = |name: &str| {
            metrics.contains(&format!("last_success_timestamp_seconds{{reconciler=\"{name}\"}}"))
        };
        let names =
            ["sweep", "remind", "promote", "rescue", "timeouts", "periodic", "clean", "gauges"];
        names.into_iter().all(told).then_some(metrics)
    })
    .await;
    assert!(metrics.contains("orchestrator_tasks{status=\"queued\"} 0"), "{metrics}");

    let asked = Instant::now();
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
});

#[derive(Parser)]
struct Database {
    #[command(flatten)]
    args: DatabaseArgs,
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_the_loops_go_on_and_say_so() {
    // Nobody listens on port 1.
    let url = "--database-url=postgres://postgres@127.0.0.1:1/nowhere";
    let database =
        Database::try_parse_from(["test", "--task-store=postgres", url, "--database-wait-ms=200"])
            .unwrap();
    let bench = Bench::start(&Store::connect(&database.args).await.unwrap(), hasty()).await;
    let health = bench.scheduler.health();
    let reason = eventually("every loop fails", || async {
        health.check().err().filter(|reason| reason.matches("has failed").count() == 8)
    })
    .await;
    assert!(reason.contains("promote has failed for "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_is_switched_off_has_no_loops() {
    let test = TestStore::sqlite().await;
    let mut settings = hasty();
    settings.enabled = false;
    let queue = queue::connect(&config(&[]).queue, "test").await.unwrap();
    let never = CancellationToken::new();
    let forget = scheduler::forgetter(test.store.clone());
    let (announcer, _announcements) = Announcer::start(queue.clone(), forget, never.clone());
    let scheduler = Scheduler::start(settings, test.store.clone(), queue, announcer, never);
    assert_eq!(scheduler.health().check(), Ok(()));
    // Loops would run for ever, since nobody ends them.
    tokio::time::timeout(Duration::from_secs(20), scheduler.ended()).await.unwrap();
}
