//! What an orchestrator of containers and Prometheus ask of a service: `/health`, `/ready`, `/metrics`.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    web::{self, Data, ServiceConfig},
};
use futures_util::{FutureExt, future::join_all};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::Mutex,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::problem;

/// How long an answer of the checks serves; however often one asks, they run no oftener.
const FRESH: Duration = Duration::from_secs(1);
/// How long a check may take before it counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type CheckFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Something without which the service cannot do its work.
struct Check {
    name: &'static str,
    run: Box<dyn Fn() -> CheckFuture + Send + Sync>,
}

/// What `/health` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Always `ok`: the process answers.
    pub status: String,
}

/// What `/ready` answers, with 200 if all is well and 503 if not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// `ready` or `unavailable`.
    pub status: String,
    pub checks: Vec<CheckResult>,
}

/// How one check went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// What was checked: `postgres`, `rabbitmq`, …
    pub name: String,
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl CheckResult {
    fn of(name: &str, outcome: Result<(), String>) -> Self {
        Self { name: name.to_owned(), ok: outcome.is_ok(), reason: outcome.err() }
    }
}

/// The probes of one service. Clones share checks and their last answer.
#[derive(Clone)]
pub struct Probes {
    inner: Arc<Inner>,
}

struct Inner {
    checks: Vec<Check>,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    shutdown: CancellationToken,
    /// Checks run here: a connection that one opens must not be driven by an HTTP worker's thread.
    runtime: Handle,
    last: Mutex<Option<(Instant, Vec<CheckResult>)>>,
}

/// Collects the checks of [`Probes`].
pub struct ProbesBuilder {
    checks: Vec<Check>,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    shutdown: CancellationToken,
}

impl Probes {
    /// Probes that are ready until `shutdown`, and as long as all checks added pass. `metrics` renders `/metrics`.
    pub fn builder(
        shutdown: CancellationToken,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> ProbesBuilder {
        ProbesBuilder { checks: Vec::new(), metrics: Box::new(metrics), shutdown }
    }

    /// How the checks went, now or less than a second ago; `Err` if the service is not ready.
    pub async fn readiness(&self) -> Result<Readiness, Readiness> {
        let mut checks = self.inner.checked().await;
        if self.inner.shutdown.is_cancelled() {
            checks.insert(
                0,
                CheckResult::of("running", Err("the service is shutting down".to_owned())),
            );
        }
        if checks.iter().all(|check| check.ok) {
            Ok(Readiness { status: "ready".to_owned(), checks })
        } else {
            Err(Readiness { status: "unavailable".to_owned(), checks })
        }
    }
}

impl ProbesBuilder {
    /// Adds a check; its error is the reason that `/ready` shows, so it must hold no secret.
    pub fn check<F, Fut>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push(Check { name, run: Box::new(move || check().boxed()) });
        self
    }

    /// The probes. Must be called inside the main runtime, where the checks will run.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn build(self) -> Probes {
        let Self { checks, metrics, shutdown } = self;
        let inner =
            Inner { checks, metrics, shutdown, runtime: Handle::current(), last: Mutex::new(None) };
        Probes { inner: Arc::new(inner) }
    }
}

impl Inner {
    /// Whoever asks while the checks run waits for the same answer.
    async fn checked(&self) -> Vec<CheckResult> {
        let mut last = self.last.lock().await;
        if let Some((at, results)) = &*last
            && at.elapsed() < FRESH
        {
            return results.clone();
        }
        let results = join_all(self.checks.iter().map(|check| self.run(check))).await;
        *last = Some((Instant::now(), results.clone()));
        results
    }

    async fn run(&self, check: &Check) -> CheckResult {
        let mut running = self.runtime.spawn((check.run)());
        let outcome = match timeout(CHECK_TIMEOUT, &mut running).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panicked)) => Err("the check itself failed".to_owned()),
            Err(_elapsed) => {
                running.abort();
                Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs()))
            }
        };
        CheckResult::of(check.name, outcome)
    }
}

/// Adds `/health`, `/ready` and `/metrics`; all that worker and scheduler serve.
pub fn admin_routes(probes: &Probes) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let probes = probes.clone();
    move |config| {
        config.app_data(Data::new(probes.clone()));
        let routes = [
            ("/health", web::get().to(health)),
            ("/ready", web::get().to(ready)),
            ("/metrics", web::get().to(metrics)),
        ];
        for (path, route) in routes {
            config.service(web::resource(path).route(route).default_service(problem::only("GET")));
        }
    }
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok".to_owned() })
}

async fn ready(probes: Data<Probes>) -> HttpResponse {
    match probes.readiness().await {
        Ok(readiness) => HttpResponse::Ok().json(readiness),
        Err(readiness) => HttpResponse::ServiceUnavailable().json(readiness),
    }
}

async fn metrics(probes: Data<Probes>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body((probes.inner.metrics)())
}
