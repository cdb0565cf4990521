//! A receiver at work on a store of its own.

use std::{net::SocketAddr, sync::Arc};

use clap::Parser;
use github::WebhookSecrets;
use queue::{Queue, announcer::Announcer};
use secrecy::SecretString;
use serde_json::{Value, json};
use store::{PageRequest, Store, deliveries::DeliveryFilter, runs::RunFilter};
use tokio_util::sync::CancellationToken;
use webhook_ingest::{Config, Ingest};

use crate::client::{self, Answer};

pub(crate) const SECRET: &str = "It's a Secret to Everybody";

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) queue: Arc<dyn Queue>,
    shutdown: CancellationToken,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Receiver {
    pub(crate) async fn start(store: &Store) -> Self {
        Self::start_with(store, &[]).await
    }

    pub(crate) async fn start_with(store: &Store, arguments: &[&str]) -> Self {
        let mut whole = vec!["webhook-ingest", "--task-queue", "in-process"];
        if !arguments.contains(&"--github-webhook-secret") {
            whole.extend(["--github-webhook-secret", SECRET]);
        }
        whole.extend(arguments);
        let config = Config::try_parse_from(whole).unwrap();
        let (store, shutdown) = (store.clone(), CancellationToken::new());
        let queue = queue::connect(&config.queue, "test").await.unwrap();
        let forget = {
            let store = store.clone();
            move |ids| {
                let store = store.clone();
                Box::pin(async move { store.forget_published(ids).await.is_ok() }) as _
            }
        };
        let (announcer, _announcements) = Announcer::start(queue.clone(), forget, shutdown.clone());
        let secrets = config.webhook.secrets().unwrap().unwrap();
        let ingest =
            Ingest::start(&config.webhook, secrets, store.clone(), announcer, shutdown.clone());
        let bound = web::bind("127.0.0.1", 0).unwrap();
        let address = bound.address();
        let (token, serve) = (shutdown.clone(), config.serve.clone());
        tokio::spawn(async move { bound.serve(&serve, token, ingest.routes()).await });
        Self { address, store, queue, shutdown }
    }

    /// Sends a delivery as GitHub does.
    pub(crate) async fn deliver(&self, id: &str, event: &str, payload: &Value) -> Answer {
        let body = payload.to_string().into_bytes();
        self.post(&signed(id, event, &body), &body).await
    }

    pub(crate) async fn post(&self, headers: &[(&str, String)], body: &[u8]) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-length", body.len().to_string()));
        client::send(self.address, &[client::head(&headers).as_bytes(), body].concat()).await
    }

    /// Every delivery as `id event status`, the newest first.
    pub(crate) async fn deliveries(&self) -> Vec<String> {
        let page = PageRequest { after: None, limit: 200 };
        let rows = self.store.list_deliveries(DeliveryFilter::default(), page).await.unwrap().items;
        rows.into_iter().map(|row| format!("{} {} {}", row.id, row.event, row.status)).collect()
    }

    pub(crate) async fn runs(&self) -> Vec<domain::run::Run> {
        let page = PageRequest { after: None, limit: 200 };
        self.store.list_runs(RunFilter::default(), page).await.unwrap().items
    }
}

/// GitHub's headers for a body, but for its length.
pub(crate) fn signed(id: &str, event: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    let secrets = WebhookSecrets::parse(&SecretString::from(SECRET)).unwrap();
    vec![
        ("User-Agent", "GitHub-Hookshot/044aadd".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("X-GitHub-Delivery", id.to_owned()),
        ("X-GitHub-Event", event.to_owned()),
        ("X-GitHub-Hook-ID", "292430182".to_owned()),
        ("X-Hub-Signature-256", secrets.sign(body)),
    ]
}

/// An issue that somebody has just labelled.
pub(crate) fn labeled(number: i64, label: &str) -> Value {
    json!({
        "action": "labeled",
        "issue": {
            "number": number, "title": "The parser loses commas", "body": "Steps: parse `a,b`", "state": "open",
            "labels": [{"name": label}], "html_url": format!("https://github.com/octocat/Hello-World/issues/{number}"),
            "user": {"login": "octocat", "id": 1, "type": "User"},
        },
        "label": {"id": 1, "name": label, "color": "d73a4a"},
        "repository": {
            "id": 1_296_269, "full_name": "octocat/Hello-World", "default_branch": "main",
            "clone_url": "https://github.com/octocat/Hello-World.git",
        },
        "installation": {"id": 5},
        "sender": {"login": "octocat", "id": 1, "type": "User"},
    })
}

/// The same issue at the moment it was opened.
pub(crate) fn opened(number: i64, label: &str) -> Value {
    let mut payload = labeled(number, label);
    payload["action"] = json!("opened");
    payload.as_object_mut().unwrap().remove("label");
    payload
}
