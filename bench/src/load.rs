//! Requests to a service: as fast as a number of connections can, no faster than a pace, or at a rate whatever comes back.

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

/// Requests at even distances for a time. Where the connections do not keep up, later ones go out as soon as one is free.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    pub(crate) per_second: f64,
    /// Nothing is sent after it.
    pub(crate) lasting: Duration,
    /// Grows by one with each answer, for whoever looks on.
    pub(crate) answered: Arc<AtomicUsize>,
}

/// Which requests go out.
enum Wanted {
    /// So many, as fast as it goes.
    Count(usize),
    At(Pace),
}

/// What the connections of a load share.
struct Turns {
    begun: Instant,
    wanted: Wanted,
    next: AtomicUsize,
}

impl Turns {
    /// The next request, once it is due; none when there are no more.
    async fn next(&self) -> Option<usize> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let pace = match &self.wanted {
            Wanted::Count(count) => return (index < *count).then_some(index),
            Wanted::At(pace) => pace,
        };
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        let due = Duration::from_secs_f64(index as f64 / pace.per_second);
        if due >= pace.lasting {
            return None;
        }
        time::sleep_until((self.begun + due).into()).await;
        (self.begun.elapsed() < pace.lasting).then_some(index)
    }

    fn answered(&self) {
        if let Wanted::At(pace) = &self.wanted {
            pace.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
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
    in_turns(address, connections, Wanted::Count(count), requests).await
}

/// Sends requests over so many connections at an even pace, however long each answer takes.
///
/// # Errors
/// If a connection breaks.
pub(crate) async fn paced(
    address: SocketAddr,
    connections: usize,
    pace: Pace,
    requests: Requests,
) -> anyhow::Result<Loaded> {
    in_turns(address, connections, Wanted::At(pace), requests).await
}

async fn in_turns(
    address: SocketAddr,
    connections: usize,
    wanted: Wanted,
    requests: Requests,
) -> anyhow::Result<Loaded> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let turns = Arc::new(Turns { begun, wanted, next: AtomicUsize::new(0) });
    let senders = open.into_iter().map(|connection| {
        let (turns, requests) = (turns.clone(), requests.clone());
        tokio::spawn(send_in_turn(connection, turns, requests))
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

/// Takes turn after turn with one connection.
async fn send_in_turn(
    mut connection: Connection,
    turns: Arc<Turns>,
    requests: Requests,
) -> anyhow::Result<Seen> {
    let (mut seen, mut request) = (Seen::default(), Vec::new());
    while let Some(index) = turns.next().await {
        requests(index, &mut request);
        let sent = Instant::now();
        let status = connection.send(&request).await?;
        seen.answer_ms.push(sent.elapsed().as_secs_f64() * 1000.0);
        turns.answered();
        *seen.statuses.entry(status).or_default() += 1;
        if status >= 400 && seen.statuses[&status] == 1 {
            eprintln!("bench: an answer: {}", connection.answer());
        }
    }
    Ok(seen)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(wanted: Wanted) -> Turns {
        Turns { begun: Instant::now(), wanted, next: AtomicUsize::new(0) }
    }

    async fn all_of(turns: &Turns) -> usize {
        let mut count = 0;
        while turns.next().await.is_some() {
            count += 1;
        }
        count
    }

    #[tokio::test]
    async fn a_count_is_sent_at_once_and_a_pace_takes_its_time() {
        assert_eq!(all_of(&turns(Wanted::Count(7))).await, 7);
        let lasting = Duration::from_millis(100);
        let pace = Pace { per_second: 200.0, lasting, answered: Arc::default() };
        let paced = turns(Wanted::At(pace));
        let sent = all_of(&paced).await;
        // On a busy machine the time may be over before all had their turn.
        assert!((1..=20).contains(&sent), "{sent}");
        assert!(paced.begun.elapsed() >= Duration::from_millis(95), "{:?}", paced.begun.elapsed());
    }
}
