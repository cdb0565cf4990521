//! GitHub, as far as it sends deliveries: signed, again and again until they are taken, and now and then twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use futures_util::{StreamExt, TryStreamExt, stream};
use ring::hmac;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};

use crate::{programs::SECRET, random::Random, stage::Stage};

/// For how long a delivery is sent again that is not taken.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Webhooks {
    http: reqwest::Client,
    receiver: watch::Receiver<String>,
    random: Random,
}

/// Deliveries that are being sent.
pub(crate) struct Sending {
    sender: JoinHandle<Result<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Sending {
    /// Waits for the last, and gives the ids of those that were taken: all.
    pub(crate) async fn end(self) -> Result<Vec<String>> {
        self.over.store(true, Ordering::Relaxed);
        self.sender.await.context("the sender panicked")?
    }
}

impl Webhooks {
    pub(crate) fn new(stage: &Stage<'_>) -> Self {
        Self {
            http: stage.http.clone(),
            receiver: stage.services.webhooks.subscribe(),
            random: stage.random.fork("webhooks"),
        }
    }

    /// Sends one after the other until told to end.
    pub(crate) fn keep_sending(&self, pause: Duration) -> Sending {
        let (mut this, over) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let told = over.clone();
        let sender = tokio::spawn(async move {
            let mut ids = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let id = this.random.uuid().to_string();
                this.send(&id).await?;
                ids.push(id);
                tokio::time::sleep(pause).await;
            }
            Ok(ids)
        });
        Sending { sender, over }
    }

    /// Sends so many, each in several copies at the same time.
    pub(crate) fn send_all(&self, count: usize, copies: usize, at_once: usize) -> Sending {
        let mut this = self.clone();
        let sender = tokio::spawn(async move {
            let ids: Vec<_> = (0..count).map(|_| this.random.uuid().to_string()).collect();
            let sends = ids.iter().map(|id| {
                let copy = (0..copies).map(|_| this.send(id));
                futures_util::future::try_join_all(copy)
            });
            let sends: Vec<_> = sends.collect();
            stream::iter(sends).buffer_unordered(at_once).try_collect::<Vec<_>>().await?;
            Ok(ids)
        });
        Sending { sender, over: Arc::default() }
    }

    /// Whether every delivery that was taken is stored.
    pub(crate) async fn all_stored(&self, stage: &mut Stage<'_>, ids: &[String]) -> Result<()> {
        let sql = "SELECT count(*) FROM deliveries WHERE id = ANY($1)";
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let stored: i64 = stage.database.rows(sql, &[&ids]).await?[0].get(0);
        let taken = i64::try_from(ids.len())?;
        let text = format!("{taken} deliveries were taken and {stored} are stored");
        stage.expect(stored == taken, "taken", text);
        Ok(())
    }

    /// Sends one until it is taken.
    async fn send(&self, id: &str) -> Result<()> {
        let body = payload();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref());
        let began = Instant::now();
        loop {
            let url = format!("{}/webhooks/github", self.receiver.borrow().as_str());
            let request = self
                .http
                .post(&url)
                .header("Content-Type", "application/json")
                .header("X-GitHub-Delivery", id)
                .header("X-GitHub-Event", "issues")
                .header("X-Hub-Signature-256", format!("sha256={signature}"))
                .body(body.clone());
            let said = match request.send().await {
                Ok(answer) if answer.status() == 202 => return Ok(()),
                Ok(answer) if answer.status().is_client_error() => {
                    bail!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())
                }
                Ok(answer) => answer.status().to_string(),
                Err(error) => error.to_string(),
            };
            if began.elapsed() > PATIENCE {
                bail!("delivery {id} is refused for {PATIENCE:?}: {said}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Somebody opened an issue, which one role looks at.
fn payload() -> String {
    let payload = json!({
        "action": "opened",
        "issue": {
            "number": 7, "title": "The parser loses commas", "body": "Steps: parse `a,b`",
            "state": "open", "labels": [], "user": { "login": "octocat", "id": 1, "type": "User" },
            "html_url": "https://github.com/octocat/Hello-World/issues/7",
            "author_association": "OWNER",
        },
        "repository": {
            "id": 1_296_269, "full_name": "octocat/Hello-World", "private": false,
            "default_branch": "main", "clone_url": "https://github.com/octocat/Hello-World.git",
        },
        "sender": { "login": "octocat", "id": 1, "type": "User" },
    });
    payload.to_string()
}
