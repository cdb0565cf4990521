//! A server of one's own.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use testbed::Postgres;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn it_answers_crashes_comes_back_hangs_and_goes() {
    let mut postgres = Postgres::start(&[("max_connections", "17")]).await.unwrap();
    assert!(postgres.url().ends_with(&format!("@{}/test", postgres.address())));
    assert!(greets(&postgres, Duration::from_secs(5)).await, "it answers");
    let pids = postgres.pids();
    assert!(pids.len() > 3, "a server has several processes: {pids:?}");
    let set = std::fs::read(format!("/proc/{}/cmdline", pids[0])).unwrap();
    assert!(String::from_utf8_lossy(&set).contains("max_connections=17"), "options are passed on");

    postgres.crash().await.unwrap();
    assert!(postgres.pids().is_empty() && !greets(&postgres, Duration::from_secs(1)).await);
    postgres.start_again().await.unwrap();
    assert!(greets(&postgres, Duration::from_secs(5)).await, "it is back");

    postgres.pause();
    let began = Instant::now();
    assert!(!greets(&postgres, Duration::from_millis(300)).await, "stopped, it does not answer");
    assert!(began.elapsed() >= Duration::from_millis(300), "its port is open all the same");
    postgres.resume();
    assert!(greets(&postgres, Duration::from_secs(5)).await, "it goes on");

    let (pids, data) = (postgres.pids(), postgres.data_dir().to_owned());
    drop(postgres);
    let left: Vec<_> = pids.iter().filter(|pid| is_running(**pid)).collect();
    assert!(left.is_empty() && !data.exists(), "{left:?} still run, or {} is left", data.display());
}

/// Whether the server asks for TLS or none, as it does with whoever connects.
async fn greets(postgres: &Postgres, limit: Duration) -> bool {
    let asking = async {
        let mut stream = TcpStream::connect(postgres.address()).await?;
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await?;
        stream.read_u8().await
    };
    matches!(tokio::time::timeout(limit, asking).await, Ok(Ok(b'N' | b'S')))
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|it| !it.contains(") Z "))
}
