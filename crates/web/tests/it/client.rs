//! A server on a free port, and a client that writes and reads bytes.

use std::{net::SocketAddr, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self as routing, Payload, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use web::{
    BodyDeadlines, Json, JsonLimits, MaybeJson, Path, Problem, Query, RequestId, ServeArgs,
    ServeError, problem, read_body,
};

/// Far above any limit of these tests: who waits as long has found a hang.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const DEADLINES: BodyDeadlines =
    BodyDeadlines { idle_ms: 200, total_ms: 400, min_bytes_per_second: 100_000 };

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) fn start(
        args: ServeArgs,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let bound = web::bind("127.0.0.1", 0).unwrap();
        let address = bound.address();
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let serving = tokio::spawn(async move { bound.serve(&args, token, configure).await });
        Self { address, shutdown, serving }
    }

    /// With the routes of [`routes`]. actix's clock is up to half a second behind, so a head's time must be longer than that.
    pub(crate) fn with_routes() -> Self {
        let args =
            ServeArgs { http_workers: Some(1), head_timeout_ms: 1_000, ..ServeArgs::default() };
        Self::start(args, routes)
    }

    pub(crate) async fn connect(&self) -> Client {
        let (reader, writer) = TcpStream::connect(self.address).await.unwrap().into_split();
        Client { reader: Reader { stream: reader, read: Vec::new() }, writer: Writer(writer) }
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) {
        timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
    }
}

pub(crate) struct Client {
    reader: Reader,
    writer: Writer,
}

pub(crate) struct Reader {
    stream: OwnedReadHalf,
    read: Vec<u8>,
}

pub(crate) struct Writer(OwnedWriteHalf);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: &str) {
        assert!(self.writer.try_send(bytes).await, "the server takes what is sent");
    }

    pub(crate) async fn try_send(&mut self, bytes: &str) -> bool {
        self.writer.try_send(bytes).await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.reader.answer().await
    }

    pub(crate) fn halves(&mut self) -> (&mut Reader, &mut Writer) {
        (&mut self.reader, &mut self.writer)
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let end = timeout(PATIENCE, self.reader.stream.read_to_end(&mut rest)).await;
        let _ = end.expect("the connection to be closed");
    }
}

impl Writer {
    /// Whether the server still takes it.
    pub(crate) async fn try_send(&mut self, bytes: &str) -> bool {
        self.0.write_all(bytes.as_bytes()).await.is_ok()
    }
}

impl Reader {
    pub(crate) async fn answer(&mut self) -> Answer {
        loop {
            if let Some(answer) = self.taken() {
                return answer;
            }
            let more = timeout(PATIENCE, self.stream.read_buf(&mut self.read))
                .await
                .expect("an answer in time");
            assert!(more.unwrap() > 0, "closed after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// The first whole answer of what was read.
    fn taken(&mut self) -> Option<Answer> {
        let head_end = self.read.windows(4).position(|it| it == b"\r\n\r\n")?;
        let head = String::from_utf8(self.read[..head_end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize =
            answer.header("content-length").map_or(0, |value| value.parse().unwrap());
        let body = self.read.get(head_end + 4..head_end + 4 + length)?;
        answer.body = String::from_utf8(body.to_vec()).unwrap();
        self.read.drain(..head_end + 4 + length);
        Some(answer)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    text: String,
    #[serde(default)]
    tags: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    limit: Option<u32>,
}

fn routes(config: &mut ServiceConfig) {
    config.app_data(JsonLimits { body_bytes: 64, depth: 3, deadlines: DEADLINES });
    config.service(
        routing::resource("/notes")
            .route(routing::get().to(|filter: Query<Filter>| async move {
                filter.0.limit.unwrap_or(50).to_string()
            }))
            .route(
                routing::post()
                    .to(|note: Json<Note>| async move { HttpResponse::Created().json(note.0) }),
            )
            .default_service(problem::only("GET, POST")),
    );
    config.service(
        routing::resource("/notes/{id}")
            .route(routing::get().to(|id: Path<u64>| async move { id.0.to_string() })),
    );
    config.route(
        "/dispatch",
        routing::post().to(|note: MaybeJson<Note>| async move {
            note.0.map_or("none".to_owned(), |note| note.text)
        }),
    );
    config.route(
        "/raw",
        routing::post().to(|request: HttpRequest, payload: Payload| async move {
            let body = read_body(request.headers(), payload.into_inner(), 1_000, DEADLINES).await?;
            Ok::<_, Problem>(body.len().to_string())
        }),
    );
    config.route("/deaf", routing::post().to(|| async { "I read nothing" }));
    config.route("/id", routing::get().to(|id: RequestId| async move { id.as_str().to_owned() }));
    config.route("/panic", routing::get().to(panics));
    config.route("/bare", routing::get().to(|| async { HttpResponse::BadGateway().finish() }));
    config.route("/foreign", routing::get().to(|_: routing::Path<u8>| async { "never" }));
}

async fn panics() -> HttpResponse {
    panic!("this handler panics on purpose")
}
