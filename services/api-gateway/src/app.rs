//! What every handler works with.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::message::OutboxMessage;
use futures_util::FutureExt;
use queue::{Queue, announcer::Announcer};
use store::{
    Store,
    batch::{BatchBounds, Batcher},
    runs::{Created, Creation},
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    agents::AgentDescription,
    auth::{KeyCache, RateLimit},
    openapi,
    settings::Settings,
};

/// Shared by all HTTP workers.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) keys: KeyCache,
    pub(crate) rate_limit: RateLimit,
    pub(crate) agents: Vec<AgentDescription>,
    /// A permit for each event stream that may be open.
    pub(crate) streams: Arc<Semaphore>,
    /// Ends event streams, which would else hold up the drain.
    pub(crate) shutdown: CancellationToken,
    /// The description of this API, as JSON.
    pub(crate) description: Bytes,
    /// Single creations share transactions.
    pub(crate) creations: Batcher<Creation, Created>,
    announcer: Announcer,
}

impl App {
    /// Starts what works behind the handlers; the handle ends with the announcer, after `background` is cancelled.
    pub(crate) fn start(
        settings: Settings,
        store: Store,
        queue: Arc<dyn Queue>,
        agents: Vec<AgentDescription>,
        shutdown: CancellationToken,
        background: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (announcer, announcing) =
            Announcer::start_with(settings.announcer, queue, forgetting(&store), background);
        let args = &settings.args;
        let app = Self {
            creations: Batcher::start(bounds(&settings), creating(&store)),
            keys: KeyCache::new(store.clone(), Duration::from_millis(args.api_key_cache_ms)),
            rate_limit: RateLimit::new(args.rate_limit_per_second, args.rate_limit_burst),
            streams: Arc::new(Semaphore::new(
                usize::try_from(args.max_streams).unwrap_or(Semaphore::MAX_PERMITS),
            )),
            description: openapi::as_json(settings.allow_local_repositories),
            store,
            settings,
            agents,
            shutdown,
            announcer,
        };
        (app, announcing)
    }

    /// Tells workers of what became ready.
    pub(crate) fn announce(&self, messages: Vec<OutboxMessage>) {
        faults::point!("gateway.announce.before");
        self.announcer.announce(messages);
    }
}

fn bounds(settings: &Settings) -> BatchBounds {
    BatchBounds {
        items: usize::from(settings.args.create_batch_size),
        in_flight: usize::from(settings.args.create_batches_in_flight),
        waiting: usize::try_from(settings.args.create_waiting).unwrap_or(usize::MAX),
    }
}

type Answers = futures_util::future::BoxFuture<'static, store::Result<Vec<Created>>>;

fn creating(store: &Store) -> impl Fn(Vec<Creation>) -> Answers + Send + Sync + 'static {
    let store = store.clone();
    move |creations| {
        let store = store.clone();
        async move { store.create(creations).await }.boxed()
    }
}

fn forgetting(
    store: &Store,
) -> impl Fn(Vec<i64>) -> futures_util::future::BoxFuture<'static, bool> + Send + Sync + 'static {
    let store = store.clone();
    move |rows| {
        let store = store.clone();
        async move { store.forget_published(rows).await.is_ok() }.boxed()
    }
}
