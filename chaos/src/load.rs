//! Work: chains of tasks that take their time and fail now and then, created over HTTP as any client would.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{JoinHandle, JoinSet},
};
use uuid::Uuid;

use crate::{ledger::Order, random::Random};

/// Tasks of one run, at most.
const CHAIN: u64 = 4;
/// Requests under way at once.
const AT_ONCE: usize = 8;
/// For how long a request is tried again that is not answered with success.
const PATIENCE: Duration = Duration::from_secs(120);

/// What all tasks of a scenario are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// How long an attempt takes, in milliseconds.
    pub(crate) takes: (u64, u64),
    /// One run in so many ends with a task that can only fail; none do for 0.
    pub(crate) fatal_once_in: u64,
}

/// Creates the work of one scenario.
pub(crate) struct Load {
    http: reqwest::Client,
    gateway: watch::Receiver<String>,
    random: Random,
    /// Ids of tasks whose creation was answered with success.
    accepted: Arc<Mutex<Vec<Uuid>>>,
}

/// Work that is being created.
pub(crate) struct Feeding {
    feeder: JoinHandle<Result<()>>,
    gate: Arc<Gate>,
}

/// How much may be created by now.
#[derive(Default)]
struct Gate {
    allowed: AtomicUsize,
    changed: Notify,
}

impl Load {
    pub(crate) fn new(
        http: reqwest::Client,
        gateway: watch::Receiver<String>,
        random: Random,
    ) -> Self {
        Self { http, gateway, random, accepted: Arc::default() }
    }

    /// Ids of all tasks that the API has said it created.
    pub(crate) fn accepted(&self) -> Vec<Uuid> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Creates about `total` tasks, and waits until all are accepted.
    pub(crate) async fn create(&mut self, total: usize, kind: Kind) -> Result<()> {
        let feeding = self.feed(total, kind);
        feeding.allow(total);
        feeding.done().await
    }

    /// Begins to create about `total` tasks, as they are [allowed](Feeding::allow).
    pub(crate) fn feed(&mut self, total: usize, kind: Kind) -> Feeding {
        let gate = Arc::new(Gate::default());
        let random = self.random.fork("feed");
        // The next feed draws something else.
        self.random.next();
        let feeder = Feeder {
            http: self.http.clone(),
            gateway: self.gateway.clone(),
            accepted: self.accepted.clone(),
            random,
            kind,
        };
        let feeder = tokio::spawn(feeder.feed(total, gate.clone()));
        Feeding { feeder, gate }
    }

    /// The same, spread evenly over a time.
    pub(crate) fn feed_over(&mut self, total: usize, kind: Kind, time: Duration) -> Feeding {
        const STEPS: u32 = 50;
        let feeding = self.feed(total, kind);
        let gate = feeding.gate.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(time / STEPS);
            for step in 1..=STEPS as usize {
                ticks.tick().await;
                gate.raise(total * step / STEPS as usize);
            }
        });
        feeding
    }

    /// Creates one task of its own with this order.
    pub(crate) async fn create_one(&self, order: Order, attempts: i64, expect: &str) -> Result<()> {
        let mut task = body(order, expect);
        task["maxAttempts"] = json!(attempts);
        let request = json!({ "tasks": [task] });
        post(&self.http, &self.gateway, order.task, &request).await?;
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(order.task);
        Ok(())
    }
}

impl Feeding {
    /// So many tasks may exist by now.
    pub(crate) fn allow(&self, count: usize) {
        self.gate.raise(count);
    }

    /// Waits until all is accepted.
    pub(crate) async fn done(self) -> Result<()> {
        self.feeder.await.context("the feeder panicked")?
    }
}

impl Gate {
    fn raise(&self, count: usize) {
        self.allowed.fetch_max(count, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Waits until more than `made` are allowed.
    async fn opens(&self, made: usize) {
        while self.allowed.load(Ordering::Relaxed) <= made {
            self.changed.notified().await;
        }
    }
}

struct Feeder {
    http: reqwest::Client,
    gateway: watch::Receiver<String>,
    accepted: Arc<Mutex<Vec<Uuid>>>,
    random: Random,
    kind: Kind,
}

impl Feeder {
    async fn feed(mut self, total: usize, gate: Arc<Gate>) -> Result<()> {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut posts = JoinSet::new();
        let mut made = 0;
        while made < total {
            gate.opens(made).await;
            let (ids, request) = self.run(total - made);
            made += ids.len();
            let permit = room.clone().acquire_owned().await.context("it is never closed")?;
            let (http, gateway) = (self.http.clone(), self.gateway.clone());
            let accepted = self.accepted.clone();
            posts.spawn(async move {
                post(&http, &gateway, ids[0], &request).await?;
                accepted.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
                drop(permit);
                Ok::<_, anyhow::Error>(())
            });
            while let Some(posted) = posts.try_join_next() {
                posted??;
            }
        }
        while let Some(posted) = posts.join_next().await {
            posted??;
        }
        Ok(())
    }

    /// A run of up to so many tasks, each of which waits for the one before.
    fn run(&mut self, most: usize) -> (Vec<Uuid>, Value) {
        let length = 1 + usize::try_from(self.random.below(CHAIN)).unwrap_or(0);
        let length = length.min(most);
        let once_in = self.kind.fatal_once_in;
        let fatal_at = (once_in > 0 && self.random.once_in(once_in))
            .then(|| usize::try_from(self.random.below(CHAIN)).unwrap_or(0));
        let (mut ids, mut tasks) = (Vec::new(), Vec::new());
        for place in 0..length {
            let order = Order {
                task: self.random.uuid(),
                fail: if self.random.once_in(10) { 1 } else { 0 },
                takes: self.random.millis(self.kind.takes.0, self.kind.takes.1),
                fatal: fatal_at == Some(place),
                poison: false,
            };
            let expect = match fatal_at {
                Some(at) if at == place => "failed",
                Some(at) if at < place => "cancelled",
                Some(_) | None => "completed",
            };
            let mut task = body(order, expect);
            if let Some(before) = ids.last() {
                task["dependsOn"] = json!([before]);
            }
            ids.push(order.task);
            tasks.push(task);
        }
        (ids, json!({ "tasks": tasks }))
    }
}

/// A task for either executor: the stub reads the payload, the ledger the description.
fn body(order: Order, expect: &str) -> Value {
    let mut stub = json!({ "fail": order.fail, "sleepMs": order.takes.as_millis() });
    if order.fatal {
        stub = json!({ "fail": 1_000, "error": "fatal", "sleepMs": order.takes.as_millis() });
    }
    json!({
        "id": order.task,
        "role": "implementer",
        "description": order.words(),
        "payload": { "stub": stub },
        "metadata": { "expect": expect, "fails": order.fail },
    })
}

/// Sends a request until it is answered with success, always with the same key: it happens once.
async fn post(
    http: &reqwest::Client,
    gateway: &watch::Receiver<String>,
    key: Uuid,
    body: &Value,
) -> Result<()> {
    let began = Instant::now();
    loop {
        let url = format!("{}/tasks/batch", gateway.borrow().as_str());
        let request = http.post(&url).header("Idempotency-Key", key.to_string()).json(body);
        let said = match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) if answer.status().is_client_error() => {
                bail!("POST {url}: {} {}", answer.status(), answer.text().await.unwrap_or_default())
            }
            Ok(answer) => answer.status().to_string(),
            Err(error) => error.to_string(),
        };
        if began.elapsed() > PATIENCE {
            bail!("POST {url} is refused for {PATIENCE:?}: {said}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
