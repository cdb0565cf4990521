//! Takes GitHub's webhook deliveries.
//!
//! ```text
//!  POST /webhooks/github ─▶ VerifiedDelivery ─▶ Decision ─▶ one transaction: delivery, run, tasks, outbox ─▶ 202
//!                             │ 401, 413, …      (triggers)     (many deliveries in each)          └─▶ announced
//!                             └─▶ a metric, no row
//! ```
//!
//! Dramatis personae:
//! - A `delivery::VerifiedDelivery` is a body whose signature was checked; the handler cannot be reached without.
//! - `triggers::Rules` decide what follows from it.
//! - The `intake::Intake` stores both. Its answer is the sender's: there is no 2xx without a row.
//! - A `redeliver::Redeliverer` does the same for stored deliveries that somebody asked to take again.

use std::{sync::Arc, time::Duration};

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use github::WebhookSecrets;
use queue::{Queue, announcer::Announcer};
use store::Store;
use telemetry::Telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{BodyDeadlines, Probes};

mod config;
mod metrics;
mod routes;

mod delivery;
mod receive;
mod refusal;
mod room;

mod first_run;
mod text;
mod triggers;

#[doc(hidden)]
pub mod fuzzing;

mod intake;
mod redeliver;

pub use config::{Config, List, ListenArgs, WebhookArgs};
pub use routes::add_without_secret;

use crate::{intake::Intake, redeliver::Redeliverer, room::Room, triggers::Rules};

/// What a request needs.
pub(crate) struct App {
    secrets: WebhookSecrets,
    rules: Rules,
    intake: Intake,
    room: Room,
    body_limit_bytes: usize,
    body_deadlines: BodyDeadlines,
    answer_within: Duration,
}

/// The receiver at work, beside whatever serves its route.
pub struct Ingest {
    app: Data<App>,
    redeliverer: JoinHandle<()>,
}

impl Ingest {
    /// Starts to take deliveries, and those again that wait for it, until `shutdown`. Must be called on the runtime that the
    /// store was opened on.
    pub fn start(
        args: &WebhookArgs,
        secrets: WebhookSecrets,
        store: Store,
        announcer: Announcer,
        shutdown: CancellationToken,
    ) -> Self {
        let intake = Intake::start(store.clone(), announcer, args.batches());
        let rules = args.rules();
        let redeliverer = Redeliverer {
            store,
            intake: intake.clone(),
            rules: rules.clone(),
            period: args.redelivery_period(),
        };
        let app = App {
            secrets,
            rules,
            intake,
            room: Room::new(usize::try_from(args.webhook_room_bytes).unwrap_or(usize::MAX)),
            body_limit_bytes: usize::try_from(args.webhook_body_limit_bytes).unwrap_or(usize::MAX),
            body_deadlines: args.body_deadlines(),
            answer_within: args.answer_within(),
        };
        Self { app: Data::new(app), redeliverer: tokio::spawn(redeliverer.run(shutdown)) }
    }

    /// Adds `POST /webhooks/github` to a server.
    pub fn routes(&self) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
        let app = self.app.clone();
        move |config| routes::add(config, &app)
    }

    /// Waits until it has ended, which it does right after its shutdown.
    pub async fn ended(self) {
        // It ends only by returning: a panic of its has been told by the panic hook.
        let _ = self.redeliverer.await;
    }
}

/// Runs the service until `shutdown`, and then ends what is in flight.
///
/// # Errors
/// No secret is set, or the port cannot be served.
pub async fn run(
    config: Config,
    store: Store,
    queue: Arc<dyn Queue>,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let secrets = config.webhook.secrets()?.ok_or(github::SecretsError::None)?;
    let bound =
        web::bind(&config.listen.host, config.listen.port).context("open the port for webhooks")?;
    let announcing = CancellationToken::new();
    let (announcer, announcements) = Announcer::start_with(
        config.announcer,
        queue.clone(),
        forgetter(store.clone()),
        announcing.clone(),
    );
    let ingest =
        Ingest::start(&config.webhook, secrets, store.clone(), announcer, shutdown.clone());
    let upkeep = tokio::spawn(telemetry.clone().run_upkeep(shutdown.clone()));
    let admin = web::admin_routes(&probes(store, telemetry, shutdown.clone()));
    let routes = ingest.routes();
    let all = move |config: &mut ServiceConfig| {
        admin(config);
        routes(config);
    };
    let served = bound.serve(&config.serve, shutdown.clone(), all).await;

    // Where the port failed nobody has asked for the end yet.
    shutdown.cancel();
    ingest.ended().await;
    announcing.cancel();
    announcements.await.context("end the announcer")?;
    upkeep.await.context("end the upkeep of metrics")?;
    queue.close().await;
    served.context("serve the port for webhooks")
}

/// Ready as long as the database is. The broker does not count: without it a delivery is taken all the same, and what it
/// starts waits in the outbox.
fn probes(store: Store, telemetry: Telemetry, shutdown: CancellationToken) -> Probes {
    Probes::builder(shutdown, move || telemetry.render())
        .check("database", move || check_schema(store.clone()))
        .build()
}

/// What the announcer does with messages that the broker has: their outbox rows go.
fn forgetter(
    store: Store,
) -> impl Fn(Vec<i64>) -> futures_util::future::BoxFuture<'static, bool> + Send + Sync {
    move |ids| {
        let store = store.clone();
        Box::pin(async move { store.forget_published(ids).await.is_ok() })
    }
}

/// Whether the database answers and has the schema of this version.
async fn check_schema(store: Store) -> Result<(), String> {
    // On a thread of its own: the future holds migrations, which cannot move to another.
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || runtime.block_on(store.schema_is_current()));
    checked.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
