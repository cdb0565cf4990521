//! A running API and a client for it.

use std::time::Duration;

use api_gateway::{
    AgentDescription, Gateway, Parts, keys,
    settings::{Auth, GatewayArgs, Settings},
};
use chrono::{DateTime, Utc};
use clap::Parser;
use domain::{
    access::{ApiKey, Scope},
    ids::{TaskId, WorkerId},
    retry::RetryPolicy,
    role::Role,
    settlement::{Outcome, Retry, RunProgress, Spent},
    task::{ClaimedTask, Failure, FailureCode},
    transcript::{Speaker, Turn, TurnKind},
    workflow::Next,
};
use queue::{QueueArgs, QueueKind, announcer::AnnouncerArgs};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::{
    Store,
    keys::NewApiKey,
    tasks::{ClaimTerms, SettleRequest, Settled},
};
use testkit::TestStore;
use tokio_util::sync::CancellationToken;
use web::{BodyDeadlines, Probes, ServeArgs, admin_routes};

/// The API of one test.
pub(crate) struct Api {
    pub(crate) db: TestStore,
    pub(crate) url: String,
    pub(crate) shutdown: CancellationToken,
    client: reqwest::Client,
    _gateway: Gateway,
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null where there is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The header's text; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the body as text.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("`{field}` is no text in {}", self.body))
    }

    /// The id of the thing in the body.
    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Whether it is a problem of this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        self
    }

    /// The fields that a problem names.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        args: GatewayArgs { stream_poll_interval_ms: 10, ..GatewayArgs::default() },
        auth: Auth::Off,
        allow_local_repositories: false,
        deadlines: BodyDeadlines::default(),
        announcer: AnnouncerArgs::default(),
    }
}

impl Api {
    /// An API that needs no key.
    pub(crate) async fn start(db: TestStore) -> Self {
        Self::start_with(db, settings()).await
    }

    pub(crate) async fn start_with(db: TestStore, settings: Settings) -> Self {
        let shutdown = CancellationToken::new();
        let (url, gateway) = serve(db.store.clone(), settings, shutdown.clone()).await;
        let client = telemetry::http_client().build().unwrap();
        Self { db, url, shutdown, client, _gateway: gateway }
    }

    /// Another process on the same database: nothing of the first is left but what it wrote. Postgres only.
    pub(crate) async fn restart(&mut self) {
        self.shutdown.cancel();
        self.shutdown = CancellationToken::new();
        let store = Store::connect(&self.db.args).await.unwrap();
        (self.url, self._gateway) = serve(store, settings(), self.shutdown.clone()).await;
    }

    /// A secret with these scopes.
    pub(crate) async fn key(&self, scopes: &[Scope]) -> String {
        self.key_until(scopes, None).await.0
    }

    pub(crate) async fn key_until(
        &self,
        scopes: &[Scope],
        expires_at: Option<DateTime<Utc>>,
    ) -> (String, ApiKey) {
        let (secret, hash) = keys::generate();
        let key = NewApiKey { name: "test".to_owned(), scopes: scopes.to_vec(), expires_at, hash };
        let key = self.db.store.create_api_key(key).await.unwrap();
        (secret.expose_secret().to_owned(), key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body.to_string())).await
    }

    /// POST without a body.
    pub(crate) async fn order(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], None).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// POST with an Idempotency-Key.
    pub(crate) async fn post_once(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("Idempotency-Key", key)], Some(body.to_string())).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        // What is given here replaces what stands there already.
        let given: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect();
        let response = request.headers(given).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// A response whose body is still to come.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.client.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// A task in a run of its own.
    pub(crate) async fn task(&self) -> Answer {
        self.post("/tasks", json!({"role": "tester", "description": "Look."})).await.expect(201)
    }

    /// Takes a queued task as a worker does.
    pub(crate) async fn claim(&self, id: &str) -> ClaimedTask {
        let id: TaskId = id.parse().unwrap();
        let mut claimed = self.db.store.claim_tasks(vec![id], terms()).await.unwrap();
        claimed.pop().expect("the task is queued")
    }

    /// Ends a queued task as a worker does.
    pub(crate) async fn settle(&self, id: &str, outcome: Outcome) {
        let claimed = self.claim(id).await;
        let policy = RetryPolicy::new(3, Duration::from_secs(60));
        let turn = Turn::new(0, TurnKind::Prompt, Speaker::User, "Do it.", Utc::now());
        let spent = Spent { turns: vec![turn], ..Spent::default() };
        let settlement = claimed.settle(outcome, spent, &policy, 0.5);
        let request = SettleRequest {
            settlements: vec![settlement],
            claims: Vec::new(),
            terms: terms(),
            roles: Vec::new(),
            free_slots: 0,
        };
        let report = self.db.store.settle_tasks(request).await.unwrap();
        assert_eq!(report.results, [Settled::Applied]);
    }

    pub(crate) async fn complete(&self, id: &str) {
        let outcome = Outcome::Completed {
            result: json!({"answer": 42}),
            next: Next::default(),
            run: RunProgress::default(),
        };
        self.settle(id, outcome).await;
    }

    /// Makes it a dead letter.
    pub(crate) async fn fail(&self, id: &str) {
        let failure = Failure::new(FailureCode::InvalidInput, "It cannot be done.");
        self.settle(id, Outcome::Failed { failure, retry: Retry::Never }).await;
    }
}

/// Starts the service; where it is, and what must be kept.
async fn serve(store: Store, settings: Settings, shutdown: CancellationToken) -> (String, Gateway) {
    let telemetry = telemetry::init(&telemetry::TelemetryArgs::default(), "api-gateway").unwrap();
    let queue = queue::connect(&queue_args(), "api-gateway").await.unwrap();
    let agents = vec![AgentDescription {
        role: Role::Tester,
        executor: "local".to_owned(),
        model: Some("small".to_owned()),
        tools: vec!["rg".to_owned()],
    }];
    let gateway = Gateway::start(settings, Parts { store, queue, agents }, shutdown.clone());
    let probes =
        gateway.checks(Probes::builder(shutdown.clone(), move || telemetry.render())).build();
    let (admin, routes) = (admin_routes(&probes), gateway.routes());
    let bound = web::bind("127.0.0.1", 0).unwrap();
    let url = format!("http://{}", bound.address());
    let args = ServeArgs { http_workers: Some(2), ..ServeArgs::default() };
    tokio::spawn(async move {
        let mounted = move |config: &mut actix_web::web::ServiceConfig| {
            admin(config);
            routes(config);
        };
        bound.serve(&args, shutdown, mounted).await.unwrap();
    });
    (url, gateway)
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The terms of the one worker that these tests play.
fn terms() -> ClaimTerms {
    static WORKER: std::sync::LazyLock<WorkerId> = std::sync::LazyLock::new(WorkerId::new);
    ClaimTerms { worker: *WORKER, lease: Duration::from_secs(60), max_attempts: 4 }
}

fn queue_args() -> QueueArgs {
    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        queue: QueueArgs,
    }
    QueueArgs { task_queue: QueueKind::InProcess, ..Program::parse_from(["test"]).queue }
}
