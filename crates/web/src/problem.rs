//! Errors as clients read them: RFC 9457 problem details, one shape for every failure.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError, Route,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web,
};
use serde::{Deserialize, Serialize};

/// What a problem's type starts with; its code follows.
pub const TYPE_PREFIX: &str = "urn:orchestrator:problem:";
/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// The document of a problem, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub struct ProblemBody {
    /// `urn:orchestrator:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time, and what to do, for a person.
    pub detail: String,
    /// What happened, for a program; stable.
    pub code: String,
    /// What it happened to, as a URI reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One field of a request that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// Which: a path in the body as `tasks[3].role`, or the name of a query parameter, path segment or header.
    pub field: String,
    /// Where in the body, as a JSON pointer in a URI fragment: `#/tasks/3/role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is wrong with it.
    pub detail: String,
    /// What may stand there, where that is a closed list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

impl FieldError {
    /// A wrong parameter outside the body.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into(), ..Self::default() }
    }

    /// A wrong top-level field of the body.
    pub fn in_body(field: &str, detail: impl Into<String>) -> Self {
        let pointer = format!("#/{}", field.replace('~', "~0").replace('/', "~1"));
        Self { pointer: Some(pointer), ..Self::new(field, detail) }
    }

    /// With the closed list of what may stand there.
    pub fn allowing(mut self, allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }
}

/// A failed request: what the client is told, and how. Any handler may return it as its error.
#[derive(Clone, Debug)]
pub struct Problem {
    body: Box<ProblemBody>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether the connection ends with the answer.
    closes: bool,
}

impl Problem {
    /// Any problem. `code` is `snake_case` and stable, `detail` is a sentence.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let body = ProblemBody {
            kind: format!("{TYPE_PREFIX}{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            instance: None,
            errors: Vec::new(),
        };
        Self { body: Box::new(body), headers: Vec::new(), closes: false }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401 with the challenge that RFC 6750 asks for.
    pub fn unauthorized(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail).with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"orchestrator\""),
        )
    }

    /// 403: known, and not allowed to do this.
    pub fn forbidden(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: it does not exist, or the client may not know that it does.
    pub fn not_found(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 405 with the methods that there are, as `GET, POST`.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("use one of {allow}"),
        )
        .with_header(header::ALLOW, HeaderValue::from_static(allow))
    }

    /// 408: the body came too slowly; the connection ends.
    pub fn request_timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail).closing()
    }

    /// 409: the state of the thing does not allow it.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 413 with the limit; the connection ends, for the rest of the body is not read.
    pub fn payload_too_large(limit_bytes: usize) -> Self {
        let detail = format!("the body may have {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).closing()
    }

    /// 415: not the media type that is read here.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// 422: understood, and not acceptable.
    pub fn unprocessable(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 429 with the time after which it may work.
    pub fn too_many_requests(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .retry_after(retry_after)
    }

    /// 503 with the time after which it may work.
    pub fn unavailable(code: &str, detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(retry_after)
    }

    /// 500. The cause is logged here, once, and never sent.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(error = %format_args!("{cause:#}"), "a request failed for a reason of ours");
        Self::internal_already_logged()
    }

    pub(crate) fn internal_already_logged() -> Self {
        let detail = "the server failed; its log has the reason under this answer's X-Request-Id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// A problem for a status that something else chose.
    pub(crate) fn of_status(status: StatusCode, detail: impl Into<String>) -> Self {
        let code: String = status
            .canonical_reason()
            .unwrap_or("error")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        Self::new(status, &code, detail)
    }

    /// Names a field that is wrong.
    pub fn with_error(mut self, error: FieldError) -> Self {
        self.body.errors.push(error);
        self
    }

    /// Names what it happened to.
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.body.instance = Some(instance.into());
        self
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Ends the connection with the answer.
    pub fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// `Retry-After` in whole seconds, rounded up.
    fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub fn body(&self) -> &ProblemBody {
        &self.body
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.body.code, self.body.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status());
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        if self.closes {
            response.force_close();
        }
        let document =
            serde_json::to_vec(&self.body).expect("a problem holds only strings and numbers");
        response.content_type(CONTENT_TYPE).body(document)
    }
}

/// For a resource: what methods beside its own are answered with. `allow` lists its own, as `GET, POST`.
pub fn only(allow: &'static str) -> Route {
    web::to(move || async move { Err::<HttpResponse, _>(Problem::method_not_allowed(allow)) })
}

/// For a path that no route has.
pub(crate) async fn no_route() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("no_such_path", "nothing is served at this path"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_travels_as_rfc_9457_says() {
        let problem = Problem::bad_request("invalid_body", "the body is not as described")
            .with_error(FieldError::in_body("a/b", "unknown").allowing(["role"]))
            .with_instance("/tasks/1");
        assert_eq!(
            serde_json::to_value(problem.body()).unwrap(),
            json!({
                "type": "urn:orchestrator:problem:invalid_body",
                "title": "Bad Request",
                "status": 400,
                "detail": "the body is not as described",
                "code": "invalid_body",
                "instance": "/tasks/1",
                "errors": [{"field": "a/b", "pointer": "#/a~1b", "detail": "unknown", "allowed": ["role"]}],
            })
        );
    }

    #[test]
    fn waits_are_told_in_whole_seconds_rounded_up() {
        let check = |millis, expected: &str| {
            let response = Problem::too_many_requests("slow down", Duration::from_millis(millis))
                .error_response();
            assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), expected);
        };
        check(1, "1");
        check(1_000, "1");
        check(1_001, "2");
    }

    #[test]
    fn a_cause_of_ours_is_not_sent() {
        let problem = Problem::internal("password=hunter2");
        assert!(!serde_json::to_string(problem.body()).unwrap().contains("hunter2"));
    }
}
