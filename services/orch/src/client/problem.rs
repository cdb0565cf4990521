//! An answer that is none of success: what the server says about it, and what to do.

use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;
use url::Url;

use crate::{
    failure::{Exit, Failure},
    view::plain,
};

/// A problem (RFC 9457), as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    errors: Vec<FieldError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldError {
    field: String,
    detail: String,
    allowed: Vec<String>,
}

/// What a refused request failed for.
pub(super) async fn read(response: Response, server: &Url) -> Failure {
    let status = response.status();
    let wait =
        response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let problem = response.json().await.ok();
    failure(status, wait.as_deref(), problem, server)
}

fn failure(
    status: StatusCode,
    wait: Option<&str>,
    problem: Option<Problem>,
    server: &Url,
) -> Failure {
    let Some(problem) = problem else {
        let message = format!("what answers at {server} with {status} is no orchestrator");
        return Failure::new(Exit::Failed, message)
            .advising("Say where it is with --server or ORCH_SERVER.");
    };
    let mut message =
        format!("{} ({}): {}", plain(&problem.title), status.as_u16(), plain(&problem.detail));
    for FieldError { field, detail, allowed } in &problem.errors {
        message.push_str(&format!("\n  {}: {}", plain(field), plain(detail)));
        if !allowed.is_empty() {
            message.push_str(&format!("; use one of {}", plain(&allowed.join(", "))));
        }
    }
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Settings,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, message);
    let failure = if wait.is_some() { failure.passing() } else { failure };
    match (status, wait) {
        (StatusCode::UNAUTHORIZED, _) => failure.advising(
            "Set ORCH_API_KEY or --key-file; `orch keys create` makes a key where the server's store is.",
        ),
        (StatusCode::FORBIDDEN, _) => failure.advising("Use a key with that scope: `orch keys create --scope`."),
        (_, Some(seconds)) => failure.advising(format!("Try again in {} s.", plain(seconds))),
        (_, None) => failure,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(
        status: u16,
        wait: Option<&str>,
        body: Option<serde_json::Value>,
        expected: (Exit, &str),
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let problem = body.map(|it| serde_json::from_value(it).unwrap());
        let failure = failure(status, wait, problem, &Url::parse("http://h/").unwrap());
        assert_eq!((failure.exit, failure.to_string().as_str()), expected);
    }

    #[test]
    fn a_refusal_says_title_detail_fields_and_what_to_do() {
        check(
            422,
            None,
            Some(json!({"title": "Unprocessable Content", "detail": "no", "code": "x", "errors": [
                {"field": "role", "detail": "unknown", "allowed": ["a", "b"]}, {"field": "q", "detail": "too long"},
            ]})),
            (
                Exit::Failed,
                "Unprocessable Content (422): no\n  role: unknown; use one of a, b\n  q: too long",
            ),
        );
        check(
            503,
            Some("2"),
            Some(json!({"title": "Service Unavailable", "detail": "busy"})),
            (Exit::Failed, "Service Unavailable (503): busy\n  Try again in 2 s."),
        );
        check(
            401,
            None,
            Some(json!({"title": "Unauthorized", "detail": "no key"})),
            (
                Exit::Settings,
                "Unauthorized (401): no key\n  Set ORCH_API_KEY or --key-file; `orch keys create` makes a key where the \
                 server's store is.",
            ),
        );
        check(
            404,
            None,
            None,
            (
                Exit::Failed,
                "what answers at http://h/ with 404 Not Found is no orchestrator\n  Say where it is with --server or \
                 ORCH_SERVER.",
            ),
        );
    }

    #[test]
    fn a_server_cannot_write_to_the_terminal_what_it_wants() {
        check(
            400,
            None,
            Some(json!({"title": "Bad\u{1b}[2J", "detail": "x"})),
            (Exit::Failed, "Bad\u{fffd}[2J (400): x"),
        );
    }
}
