//! The client of a real model server.

mod exchange;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    Endpoint, Error, Model, OnToken, Phase, Reply, Request, WireFormat, metrics, ollama, openai,
    policy::Policy,
    resolver::{GuardedResolver, Lookup},
};

/// Idle connections that are kept for the next request.
const IDLE_CONNECTIONS: usize = 64;

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub endpoint: Endpoint,
    pub format: WireFormat,
    pub api_key: Option<SecretString>,
    pub policy: Policy,
    pub limits: Limits,
    /// The context that a server is asked to give a conversation, in tokens, where the format can say so.
    pub context_tokens: u32,
    /// Requests at once; more wait for their turn. None is no bound.
    pub concurrency: Option<usize>,
}

/// Bounds on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To look up the name and connect.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two bytes of the answer.
    pub idle: Duration,
    /// For the whole request, without the wait for a turn.
    pub total: Duration,
    /// Bytes of an answer as they come, framing included.
    pub response_bytes: usize,
}

/// Talks to one model server, under one policy.
pub struct Client {
    http: reqwest::Client,
    settings: ClientSettings,
    turns: Option<Semaphore>,
}

impl Client {
    /// A client; no connection is made yet.
    pub fn new(settings: ClientSettings) -> Result<Self, Error> {
        Self::with_lookup(settings, GuardedResolver::system())
    }

    fn with_lookup(settings: ClientSettings, lookup: Lookup) -> Result<Self, Error> {
        settings.policy.check(&settings.endpoint, settings.format)?;
        let resolver = GuardedResolver::new(settings.policy.clone(), lookup);
        let http = reqwest::Client::builder()
            .user_agent("orchestrator")
            .default_headers(headers(settings.api_key.as_ref())?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .connect_timeout(settings.limits.connect)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build()
            .map_err(|error| Error::Unusable { cause: error.to_string() })?;
        let turns = settings.concurrency.map(Semaphore::new);
        Ok(Self { http, settings, turns })
    }

    /// Asks the server which models it has. For readiness and diagnosis: it takes no turn, and at most `within`.
    pub async fn probe(&self, within: Duration) -> Result<Vec<String>, Error> {
        let asked = async {
            let url = self.settings.endpoint.models(self.settings.format);
            let response = self.send(self.http.get(url)).await?;
            let body = exchange::body(response, self.settings.limits.response_bytes).await?;
            let models = match self.settings.format {
                WireFormat::Ollama => ollama::models(&body),
                WireFormat::OpenAi => openai::models(&body),
            };
            models.map_err(|error| self.clean(error))
        };
        match tokio::time::timeout(within, asked).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Error::Timeout { phase: Phase::Total, after: within }),
        }
    }

    fn key(&self) -> Option<&str> {
        self.settings.api_key.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Sends a request and takes the head of its answer, if that is good.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Error> {
        // An address in the URL never meets the resolver; the URL is fixed, but a check costs nothing.
        self.settings.policy.admit(self.settings.endpoint.url())?;
        let response = request
            .send()
            .await
            .map_err(|error| exchange::unreachable(&error, &self.settings.endpoint))?;
        exchange::accept(response, self.key()).await
    }
}

#[async_trait]
impl Model for Client {
    async fn complete(&self, request: &Request, on_token: OnToken<'_>) -> Result<Reply, Error> {
        let _turn = match &self.turns {
            Some(turns) => Some(turns.acquire().await.expect("the semaphore is never closed")),
            None => None,
        };
        faults::point!("llm.request.before");
        let began = Instant::now();
        let total = self.settings.limits.total;
        let result = match tokio::time::timeout(total, self.exchange(request, on_token)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Error::Timeout { phase: Phase::Total, after: total }),
        };
        let took = began.elapsed();
        faults::point!("llm.answer.after");
        metrics::record(&request.model, &result, took);
        result.map(|reply| Reply { latency: took, ..reply })
    }
}

/// Headers of every request. The key is marked so that no log shows it.
fn headers(key: Option<&SecretString>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).map_err(
            |_invalid| Error::Unusable {
                cause: "the API key holds a character no header may hold".to_owned(),
            },
        )?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
