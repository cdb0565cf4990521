//! Talks to the API. Answers stay JSON: what a command does not show, it hands on as it came.

mod args;
mod problem;

use std::{net::IpAddr, time::Duration};

use reqwest::{Method, RequestBuilder, Response, header::ACCEPT};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Host, Url};

pub(crate) use args::ServerArgs;

use crate::failure::{Exit, Failure};

/// A server that sends nothing for so long is taken for gone; event streams send a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The longest that one connection of an event stream lives; then another goes on where it ended.
const STREAM: Duration = Duration::from_secs(24 * 3_600);

/// The API of one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    key: Option<SecretString>,
    /// How long to wait for a server that was there before.
    pub(crate) patience: Duration,
}

/// Parameters of a query; those without a value are left out.
pub(crate) type Query<'a> = &'a [(&'static str, Option<String>)];

impl Client {
    /// # Errors
    /// The key cannot be read.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self, Failure> {
        let mut builder = telemetry::http_client().read_timeout(SILENCE);
        if is_loopback(&args.server) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
        let patience = Duration::from_secs(args.server_patience_seconds);
        Ok(Self { http, server: args.server.clone(), key: args.key()?, patience })
    }

    pub(crate) async fn get(&self, path: &[&str], query: Query<'_>) -> Result<Value, Failure> {
        self.ask(Method::GET, path, query, None).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        self.ask(Method::POST, path, &[], body).await
    }

    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.ask(Method::PATCH, path, &[], Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &[&str], query: Query<'_>) -> Result<Value, Failure> {
        self.ask(Method::DELETE, path, query, None).await
    }

    /// Opens the event stream of a run after the event `after`.
    pub(crate) async fn events(&self, run: &str, after: Option<&str>) -> Result<Response, Failure> {
        let mut request = self.request(Method::GET, &["runs", run, "events"], &[]).timeout(STREAM);
        request = request.header(ACCEPT, "text/event-stream");
        if let Some(id) = after {
            request = request.header("Last-Event-ID", id);
        }
        self.send(request).await
    }

    /// An answer without a body is null.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.request(method, path, query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = self.send(request).await?;
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|_not_json| {
            Failure::new(
                Exit::Failed,
                format!("what answers at {} is no orchestrator", self.server),
            )
            .advising("Say where it is with --server or ORCH_SERVER.")
        })
    }

    fn request(&self, method: Method, path: &[&str], query: Query<'_>) -> RequestBuilder {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let given: Vec<_> =
            query.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
        let mut request = self.http.request(method, url);
        if !given.is_empty() {
            request = request.query(&given);
        }
        match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(problem::read(response, &self.server).await)
        }
    }

    /// The server cannot be spoken to, or broke off.
    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let server = self.server.as_str().trim_end_matches('/');
        let why =
            if error.is_timeout() { "it takes too long".to_owned() } else { root_cause(error) };
        Failure::new(Exit::Unreachable, format!("the server at {server} cannot be reached: {why}"))
            .advising("Start one with `orch dev`, or say where it is with --server or ORCH_SERVER.")
    }
}

/// Whether nothing between can be meant to be asked.
fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
