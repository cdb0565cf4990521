//! What happens around every request: its id, its log line, its metric, the headers that every answer has, and an answer
//! also where a handler panicked or somebody answered an error without a body.
//!
//! Paths in logs and metrics are route patterns (`/tasks/{id}`); query strings and bodies are never logged.

use std::{future::Ready, future::ready, panic::AssertUnwindSafe, rc::Rc, time::Instant};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use futures_util::FutureExt;
use tracing::Instrument;

use crate::{
    head_limit::Heads,
    problem::{self, Problem},
};

/// The histogram of requests; `telemetry::metrics::HTTP_REQUESTS` describes it.
const HTTP_REQUESTS: &str = "orchestrator_http_requests_seconds";
/// The route of a request that no route took.
const UNMATCHED: &str = "unmatched";
/// Characters of an id that a client may choose.
const REQUEST_ID_CHARS: usize = 64;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_FRAME_OPTIONS: HeaderName = HeaderName::from_static("x-frame-options");

/// What a request is called in logs and in its answer: the client's `X-Request-Id` where that is sane, else a new one.
/// A handler may take it as an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Rc<str>);

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get(&X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|id| is_sane(id));
        match given {
            Some(id) => Self(id.into()),
            None => Self(uuid::Uuid::now_v7().to_string().into()),
        }
    }
}

fn is_sane(id: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    (1..=REQUEST_ID_CHARS).contains(&id.len()) && id.bytes().all(allowed)
}

impl FromRequest for RequestId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        ready(Ok(known.unwrap_or_else(|| Self::of(request.headers()))))
    }
}

/// The middleware.
pub(crate) async fn request_span(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let _handled = request.conn_data::<Rc<Heads>>().map(Heads::begin);
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let method = method_name(request.method());
    let span = tracing::info_span!("request", request.id = id.as_str(), http.method = method);

    let answer = AssertUnwindSafe(next.call(request).instrument(span.clone())).catch_unwind().await;
    let (route, mut answer) = match answer {
        Ok(Ok(response)) => {
            let route = response.request().match_pattern().unwrap_or_else(|| UNMATCHED.to_owned());
            (route, Ok(complete(response.map_into_boxed_body())))
        }
        Ok(Err(error)) => (UNMATCHED.to_owned(), Err(complete_parts(error.error_response()))),
        Err(_panic) => {
            // The panic hook has written the reason to stderr already.
            span.in_scope(|| tracing::error!("a handler panicked"));
            use actix_web::ResponseError;
            (UNMATCHED.to_owned(), Err(Problem::internal_already_logged().error_response()))
        }
    };
    let (status, headers) = match &mut answer {
        Ok(response) => (response.status(), response.headers_mut()),
        Err(response) => (response.status(), response.headers_mut()),
    };
    add_headers(headers, &id);
    span.in_scope(|| tell(route, method, status, started));
    // An answer without its request can only go back as an error that holds it.
    answer.map_err(|response| InternalError::from_response("answered", response).into())
}

fn tell(route: String, method: &'static str, status: StatusCode, started: Instant) {
    let elapsed = started.elapsed();
    let (code, millis) = (status.as_u16(), elapsed.as_secs_f64() * 1_000.0);
    if status.is_server_error() {
        tracing::info!(
            http.route = route,
            http.status = code,
            duration_ms = millis,
            "answered with a failure"
        );
    } else {
        tracing::debug!(http.route = route, http.status = code, duration_ms = millis, "answered");
    }
    metrics::histogram!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => status_class(status))
        .record(elapsed.as_secs_f64());
}

/// Methods as labels: a client may invent others.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

fn add_headers(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(X_REQUEST_ID.clone(), value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS.clone(), HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn complete(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let (request, response) = response.into_parts();
    ServiceResponse::new(request, complete_parts(response))
}

/// An error answer as a problem: what actix answers by itself has no body, or plain text.
fn complete_parts(response: HttpResponse<BoxBody>) -> HttpResponse<BoxBody> {
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == problem::CONTENT_TYPE);
    let foreign = response.error().filter(|_| !is_problem).map(ToString::to_string);
    let is_empty = matches!(response.body().size(), BodySize::None | BodySize::Sized(0));
    if is_problem || (foreign.is_none() && !is_empty) {
        return response;
    }
    let detail = match foreign {
        Some(text) if response.status().is_client_error() => text,
        _ => response.status().canonical_reason().unwrap_or("the request failed").to_owned(),
    };
    let problem = Problem::of_status(response.status(), detail);
    let document =
        serde_json::to_vec(problem.body()).expect("a problem holds only strings and numbers");
    let mut completed = response.set_body(BoxBody::new(document));
    completed
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
    completed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_client_is_taken_only_if_it_cannot_do_harm_in_a_log() {
        let check = |id: &str, expected| assert_eq!(is_sane(id), expected, "{id:?}");
        check("0197-ab_c.D", true);
        check("", false);
        check("a b", false);
        check("a\"b", false);
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
    }
}
