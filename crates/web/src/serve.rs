//! Listening, answering, and stopping without losing a request.
//!
//! The server lives in the tokio runtime that awaits it; its HTTP workers are threads with a runtime of their own each.
//! What a handler spawns is driven by its worker's thread, so long-lived things (database connections above all) must be
//! opened on the main runtime's [`tokio::runtime::Handle`].

use std::{
    future::{Future, ready},
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    thread::available_parallelism,
    time::Duration,
};

use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse, fn_service},
    middleware::from_fn,
    rt::net::TcpStream,
    web::{self, ServiceConfig},
};
use socket2::SockRef;
use tokio_util::sync::CancellationToken;

use crate::{
    head_limit::Watched, problem, request_span::request_span, unread::close_after_unread_body,
};

/// How long a closing connection is read from, so that its client sees the answer.
const LINGER: Duration = Duration::from_secs(1);

/// Connections that may wait to be taken; std asks for 128, which a burst fills.
const BACKLOG: i32 = 1_024;

/// How a service answers HTTP. Where it listens is each service's own setting, for their defaults differ.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub struct ServeArgs {
    /// Threads that answer HTTP [default: one for each core].
    #[arg(long = "http-workers", env = "ORCH_HTTP_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub http_workers: Option<u16>,
    /// Connections open at once; more wait in the kernel's queue.
    #[arg(long = "http-max-connections", env = "ORCH_HTTP_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// Seconds that an idle connection stays open.
    #[arg(
        long = "http-keep-alive-seconds",
        env = "ORCH_HTTP_KEEP_ALIVE_SECONDS",
        default_value_t = 75
    )]
    pub keep_alive_seconds: u64,
    /// Milliseconds that the headers of a request may take, from the connection's start or from their first byte.
    #[arg(long = "http-head-timeout-ms", env = "ORCH_HTTP_HEAD_TIMEOUT_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub head_timeout_ms: u64,
    /// Milliseconds between telling that we stop (readiness goes red) and taking no more connections.
    #[arg(long = "drain-delay-ms", env = "ORCH_DRAIN_DELAY_MS", default_value_t = 0)]
    pub drain_delay_ms: u64,
    /// Milliseconds from being told to stop to the end; requests that are in flight by then are cut, in whole seconds, and
    /// attempts of a worker are handed back before.
    #[arg(long = "shutdown-grace-ms", env = "ORCH_SHUTDOWN_GRACE_MS", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(..=86_400_000))]
    pub shutdown_grace_ms: u64,
}

impl Default for ServeArgs {
    fn default() -> Self {
        Self {
            http_workers: None,
            max_connections: 10_000,
            keep_alive_seconds: 75,
            head_timeout_ms: 5_000,
            drain_delay_ms: 0,
            shutdown_grace_ms: 25_000,
        }
    }
}

impl ServeArgs {
    /// From being told to stop to the end.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "cannot listen on {host}:{port}: is the port in use? ORCH_HOST and ORCH_PORT choose another"
    )]
    Bind {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the HTTP server failed")]
    Server(#[source] io::Error),
}

/// A port that is ours; connections wait in the kernel's queue until [`Bound::serve`].
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Takes a port; 0 lets the kernel choose a free one, which [`Bound::address`] tells.
///
/// # Errors
/// [`ServeError::Bind`] if the host is none of this machine's, or the port is taken.
pub fn bind(host: &str, port: u16) -> Result<Bound, ServeError> {
    let refused = |source| ServeError::Bind { host: host.to_owned(), port, source };
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(refused)?.collect();
    let listener = TcpListener::bind(&addresses[..]).map_err(refused)?;
    SockRef::from(&listener).listen(BACKLOG).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Bound { listener, address })
}

/// [`bind`] and [`Bound::serve`].
///
/// # Errors
/// [`ServeError`].
pub async fn run(
    args: &ServeArgs,
    (host, port): (&str, u16),
    shutdown: CancellationToken,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<(), ServeError> {
    bind(host, port)?.serve(args, shutdown, configure).await
}

impl Bound {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`, then drains: waits the drain delay (readiness is red by now, if its
    /// [`Probes`](crate::Probes) has the same token), takes no more connections, and returns when those in flight have
    /// ended or the grace is over. Dropping the future closes all connections at once.
    ///
    /// # Errors
    /// [`ServeError::Server`] if the listener or a worker cannot start.
    pub async fn serve(
        self,
        args: &ServeArgs,
        shutdown: CancellationToken,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<(), ServeError> {
        let address = self.address;
        let server = self.server(args, configure).map_err(ServeError::Server)?;
        let handle = server.handle();
        tokio::pin!(server);
        tracing::info!(http.address = %address, "listening");
        let stop = async {
            shutdown.cancelled().await;
            tokio::time::sleep(Duration::from_millis(args.drain_delay_ms)).await;
            handle.stop(true).await;
        };
        // It is the server that stops, so it is awaited beside the wish that it does; by itself it ends only by failing.
        tokio::pin!(stop);
        let ended = tokio::select! {
            ended = &mut server => ended,
            () = &mut stop => server.await,
        };
        tracing::info!(http.address = %address, "no longer listening");
        ended.map_err(ServeError::Server)
    }

    fn server(
        self,
        args: &ServeArgs,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> io::Result<Server> {
        let workers = args
            .http_workers
            .map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from);
        let connections = usize::try_from(args.max_connections).unwrap_or(usize::MAX);
        let builder = Server::build()
            .workers(workers)
            .max_concurrent_connections(connections.div_ceil(workers))
            .shutdown_timeout(args.shutdown_grace_ms.div_ceil(1_000))
            .disable_signals();
        let stopping = builder.graceful_shutdown_signal();
        let times = Times {
            keep_alive: Duration::from_secs(args.keep_alive_seconds),
            head: Duration::from_millis(args.head_timeout_ms),
        };
        let server = builder.listen("http", self.listener, move || {
            let stopping = stopping.clone();
            let stopped = move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            };
            connections_of(configure.clone(), times, stopped)
        })?;
        Ok(server.run())
    }
}

/// How long a connection may take.
#[derive(Clone, Copy)]
struct Times {
    /// Idle between two requests.
    keep_alive: Duration,
    /// For the head of a request.
    head: Duration,
}

/// What answers on the connections of one HTTP worker. It is what actix's own server has, on streams that are watched.
fn connections_of<Stopped: Future<Output = ()> + 'static>(
    configure: impl Fn(&mut ServiceConfig) + Clone + 'static,
    times: Times,
    stopped: impl Fn() -> Stopped + 'static,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
{
    let answering = app(configure).into_factory().map_err(|error: Error| error.error_response());
    let http = HttpService::build()
        .graceful_shutdown_signal(stopped)
        .keep_alive(times.keep_alive)
        .client_request_timeout(times.head)
        .client_disconnect_timeout(LINGER)
        .on_connect_ext(|stream: &Watched, data| {
            data.insert(stream.heads());
        })
        .finish(map_config(answering, |_| AppConfig::default()));
    let taken = move |stream: TcpStream| {
        // Where an option cannot be set the connection is gone already, which reading it will tell.
        let _set = stream.set_nodelay(true);
        let peer = stream.peer_addr().ok();
        ready(Ok((Watched::new(stream, times.head), Protocol::Http1, peer)))
    };
    fn_service(taken).and_then(http)
}

/// The application around a service's routes: request span, panics, problems for what no route answers. Tests that need
/// no socket use it with `actix_web::test::init_service`.
pub fn app(
    configure: impl FnOnce(&mut ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    // The last wrapped is the outermost.
    App::new()
        .wrap(from_fn(close_after_unread_body))
        .wrap(from_fn(request_span))
        .default_service(web::to(problem::no_route))
        .configure(configure)
}
