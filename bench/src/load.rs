//! Requests to a service: as fast as a number of connections can, or at a rate whatever comes back.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail};
use tokio::time;

use crate::http::Connection;

/// Writes the request with an index into a buffer.
pub(crate) type Requests = Arc<dyn Fn(usize, &mut Vec<u8>) + Send + Sync>;

/// What became of a load.
pub(crate) struct Loaded {
    /// Just before the first request.
    pub(crate) begun: Instant,
    /// Just after the last answer.
    pub(crate) ended: Instant,
    /// Milliseconds from just before each request to its answer.
    pub(crate) answer_ms: Vec<f64>,
    /// Just before each request, by its index; of a rate only.
    pub(crate) sent_at: Vec<SystemTime>,
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, usize>,
}

impl Loaded {
    pub(crate) fn elapsed(&self) -> Duration {
        self.ended - self.begun
    }

    /// Fails unless every answer had this status.
    ///
    /// # Errors
    /// With the statuses that came.
    pub(crate) fn all(&self, status: u16) -> anyhow::Result<()> {
        if self.statuses.keys().any(|it| *it != status) {
            bail!("answers by status: {:?}; all should be {status}", self.statuses);
        }
        Ok(())
    }
}

/// What one connection has seen.
#[derive(Default)]
struct Seen {
    answer_ms: Vec<f64>,
    statuses: BTreeMap<u16, usize>,
}

/// Sends so many requests over so many connections, each one after the other.
///
/// # Errors
/// If a connection breaks.
pub(crate) async fn closed(
    address: SocketAddr,
    connections: usize,
    count: usize,
    requests: Requests,
) -> anyhow::Result<Loaded> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let senders = open.into_iter().map(|mut connection| {
        let (next, requests) = (next.clone(), requests.clone());
        tokio::spawn(async move {
            let (mut seen, mut request) = (Seen::default(), Vec::new());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(seen);
                }
                requests(index, &mut request);
                let sent = Instant::now();
                let status = connection.send(&request).await?;
                seen.answer_ms.push(sent.elapsed().as_secs_f64() * 1000.0);
                *seen.statuses.entry(status).or_default() += 1;
                if status >= 400 && seen.statuses[&status] == 1 {
                    eprintln!("bench: an answer: {}", connection.answer());
                }
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut all = Seen::default();
    for sender in senders {
        let seen = sender.await.context("a connection's task ended")??;
        all.answer_ms.extend(seen.answer_ms);
        for (status, count) in seen.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
    }
    let Seen { answer_ms, statuses } = all;
    Ok(Loaded { begun, ended: Instant::now(), answer_ms, sent_at: Vec::new(), statuses })
}

/// What requests at a rate share.
struct Rate {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
    requests: Requests,
}

/// Sends requests at fixed moments, whether earlier ones were answered or not, each on a connection that is free.
///
/// # Errors
/// If a connection breaks.
pub(crate) async fn at_rate(
    address: SocketAddr,
    per_second: f64,
    count: usize,
    requests: Requests,
) -> anyhow::Result<Loaded> {
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(Connection::open(address).await?);
    }
    let rate = Arc::new(Rate { address, idle: Mutex::new(idle), requests });
    let begun = Instant::now();
    let mut under_way = Vec::new();
    for index in 0..count {
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        let due = begun + Duration::from_secs_f64(index as f64 / per_second);
        time::sleep_until(due.into()).await;
        under_way.push(tokio::spawn(rate.clone().one(index)));
    }
    let mut loaded = Loaded {
        begun,
        ended: begun,
        answer_ms: Vec::new(),
        sent_at: Vec::new(),
        statuses: BTreeMap::new(),
    };
    for one in under_way {
        let (sent_at, ms, status) = one.await.context("a request's task ended")??;
        loaded.sent_at.push(sent_at);
        loaded.answer_ms.push(ms);
        *loaded.statuses.entry(status).or_default() += 1;
    }
    loaded.ended = Instant::now();
    Ok(loaded)
}

impl Rate {
    async fn one(self: Arc<Self>, index: usize) -> anyhow::Result<(SystemTime, f64, u16)> {
        let free = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let mut request = Vec::new();
        (self.requests)(index, &mut request);
        let (sent_at, sent) = (SystemTime::now(), Instant::now());
        let status = connection.send(&request).await?;
        let ms = sent.elapsed().as_secs_f64() * 1000.0;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok((sent_at, ms, status))
    }
}
