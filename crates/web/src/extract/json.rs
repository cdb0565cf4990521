//! JSON bodies.

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderMap},
};
use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{
    body::{BodyDeadlines, read_body},
    extract::{fault::field_error, nul, shape::is_struct},
    json_scan::{self, ScanFault},
    problem::{FieldError, Problem},
};

/// Media types that are JSON here; the second is RFC 7396's.
const MEDIA_TYPES: [&str; 2] = ["application/json", "application/merge-patch+json"];

/// What a JSON body may be. A service sets it for all routes, or for a scope, with `config.app_data(limits)`.
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Levels of arrays and objects in each other.
    pub depth: usize,
    /// How slowly it may come.
    pub deadlines: BodyDeadlines,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { body_bytes: 1024 * 1024, depth: 32, deadlines: BodyDeadlines::default() }
    }
}

/// A JSON body. `T` says with `deny_unknown_fields` that it knows all its fields.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// A JSON body beside the bytes that it came as, for who must recognise it again.
#[derive(Clone, Debug)]
pub struct RawJson<T> {
    pub value: T,
    pub bytes: Bytes,
}

/// A JSON body that may be left out; only an empty one counts as that.
#[derive(Clone, Debug)]
pub struct MaybeJson<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        RawJson::from_request(request, payload)
            .map(|raw| raw.map(|raw| Self(raw.value)))
            .boxed_local()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for RawJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            check_media_type(request.headers())?;
            let limits = limits_of(&request);
            let bytes =
                read_body(request.headers(), payload, limits.body_bytes, limits.deadlines).await?;
            let value = parse_json(&bytes, limits.depth)?;
            Ok(Self { value, bytes })
        }
        .boxed_local()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for MaybeJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let limits = limits_of(&request);
            let bytes =
                read_body(request.headers(), payload, limits.body_bytes, limits.deadlines).await?;
            if bytes.is_empty() {
                return Ok(Self(None));
            }
            check_media_type(request.headers())?;
            parse_json(&bytes, limits.depth).map(Some).map(Self)
        }
        .boxed_local()
    }
}

fn limits_of(request: &HttpRequest) -> JsonLimits {
    request.app_data::<JsonLimits>().copied().unwrap_or_default()
}

/// JSON, in UTF-8, as it is: nothing else is decoded.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let encoding = text(header::CONTENT_ENCODING).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") {
        return Err(
            Problem::unsupported_media_type("send the body without a Content-Encoding").closing()
        );
    }
    let (essence, parameters) = match text(header::CONTENT_TYPE) {
        None => ("", ""),
        Some(content_type) => content_type.split_once(';').unwrap_or((content_type, "")),
    };
    let is_json = MEDIA_TYPES.iter().any(|it| essence.trim().eq_ignore_ascii_case(it));
    let charset = parameters.split(';').find_map(|parameter| parameter.trim().split_once('='));
    let is_utf8 = charset.is_none_or(|(name, value)| {
        !name.eq_ignore_ascii_case("charset")
            || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if is_json && is_utf8 {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type(
            "send the body with `Content-Type: application/json`, in UTF-8",
        ))
    }
}

/// Reads JSON strictly, as [`Json`] does.
///
/// # Errors
/// 400: `invalid_json` if it is none, is nested too deeply or has a NUL; `invalid_body`, with the field named, if it is not a
/// `T`.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8], depth: usize) -> Result<T, Problem> {
    let invalid = |detail: String| Problem::bad_request("invalid_json", detail);
    let text = std::str::from_utf8(bytes)
        .map_err(|e| invalid(format!("the body is not UTF-8, from byte {}", e.valid_up_to())))?;
    json_scan::scan(bytes, depth).map_err(|fault| match fault {
        ScanFault::TooDeep { .. } => invalid(format!("the body is not read: {fault}")),
        ScanFault::Nul { .. } => {
            let problem = invalid(format!("the body cannot be stored: {fault}"));
            nul::place_of(text).into_iter().fold(problem, Problem::with_error)
        }
    })?;
    if text.trim_ascii_start().starts_with('[') && is_struct::<T>() {
        let field = FieldError {
            pointer: Some("#".to_owned()),
            ..FieldError::new("body", "an array, where an object is wanted")
        };
        return Err(invalid_body(field));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, error) = (error.path().clone(), error.into_inner());
        match error.classify() {
            Category::Data => {
                invalid_body(field_error(&path, without_position(&error.to_string()), true))
            }
            Category::Syntax | Category::Eof | Category::Io => {
                invalid(format!("the body is not JSON: {error}"))
            }
        }
    })?;
    deserializer.end().map_err(|error| invalid(format!("something follows the JSON: {error}")))?;
    Ok(value)
}

fn invalid_body(field: FieldError) -> Problem {
    Problem::bad_request("invalid_body", format!("`{}`: {}", field.field, field.detail))
        .with_error(field)
}

/// `serde_json` says "… at line 3 column 7"; the pointer says it better.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only how it is refused matters")]
    struct Batch {
        tasks: Vec<Task>,
        run_id: Option<u32>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only how it is refused matters")]
    struct Task {
        role: Role,
        #[serde(default)]
        payload: Value,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        Tester,
        Reviewer,
    }

    fn errors_of(json: &str) -> Value {
        let problem = parse_json::<Batch>(json.as_bytes(), 4).unwrap_err();
        assert_eq!(problem.body().code, "invalid_body", "{problem}");
        serde_json::to_value(&problem.body().errors).unwrap()
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let check = |json: &str, field: &str, pointer: &str, detail: &str, allowed: Value| {
            let mut expected =
                json!([{"field": field, "pointer": pointer, "detail": detail, "allowed": allowed}]);
            if allowed == json!([]) {
                expected[0].as_object_mut().unwrap().remove("allowed");
            }
            assert_eq!(errors_of(json), expected, "{json}");
        };
        check(
            r#"{"tasks":[],"bogus":1}"#,
            "bogus",
            "#/bogus",
            "unknown field `bogus`, expected `tasks` or `runId`",
            json!(["tasks", "runId"]),
        );
        check(
            r#"{"tasks":[{"role":"tester"},{"role":"tester","x/y":1}]}"#,
            "tasks[1].x/y",
            "#/tasks/1/x~1y",
            "unknown field `x/y`, expected `role` or `payload`",
            json!(["role", "payload"]),
        );
        check(
            r#"{"tasks":[{"role":"boss"}]}"#,
            "tasks[0].role",
            "#/tasks/0/role",
            "unknown variant `boss`, expected `tester` or `reviewer`",
            json!(["tester", "reviewer"]),
        );
        check(
            r#"{"tasks":[{}]}"#,
            "tasks[0].role",
            "#/tasks/0/role",
            "missing field `role`",
            json!([]),
        );
        check("{}", "tasks", "#/tasks", "missing field `tasks`", json!([]));
        check(
            r#"{"tasks":[],"runId":"seven at line 3"}"#,
            "runId",
            "#/runId",
            "invalid type: string \"seven at line 3\", expected u32",
            json!([]),
        );
        check(
            r#"{"tasks":[],"tasks":[]}"#,
            "tasks",
            "#/tasks",
            "duplicate field `tasks`",
            json!([]),
        );
        check(" []", "body", "#", "an array, where an object is wanted", json!([]));
        check("7", "body", "#", "invalid type: integer `7`, expected struct Batch", json!([]));
    }

    #[test]
    fn what_is_not_json_is_refused_as_that() {
        let check = |json: &[u8], detail: &str| {
            let problem = parse_json::<Batch>(json, 4).unwrap_err();
            assert_eq!(
                (problem.body().code.as_str(), problem.body().detail.as_str()),
                ("invalid_json", detail)
            );
        };
        check(b"", "the body is not JSON: EOF while parsing a value at line 1 column 0");
        check(b"{\"tasks\":[}", "the body is not JSON: expected value at line 1 column 11");
        check(
            b"{\"tasks\":[]} x",
            "something follows the JSON: trailing characters at line 1 column 14",
        );
        check(b"{\"tasks\":\"\xff\"}", "the body is not UTF-8, from byte 10");
        check(
            br#"{"tasks":[{"payload":[[]]}]}"#,
            "the body is not read: it is nested deeper than 4 levels, at byte 22",
        );
        check(
            br#"{"tasks":[{"payload":"\u0000"}]}"#,
            "the body cannot be stored: a string holds the NUL character, at byte 22",
        );
        let nul = br#"{"tasks":[{"payload":"\u0000"}]}"#;
        let errors = parse_json::<Batch>(nul, 4).unwrap_err().body().errors.clone();
        assert_eq!(
            serde_json::to_value(errors).unwrap(),
            json!([{
                "field": "tasks[0].payload", "pointer": "#/tasks/0/payload",
                "detail": "it holds the NUL character",
            }])
        );
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let check = |content_type: Option<&str>, encoding: Option<&str>, expected: bool| {
            let mut request = TestRequest::default();
            if let Some(value) = content_type {
                request = request.insert_header((header::CONTENT_TYPE, value));
            }
            if let Some(value) = encoding {
                request = request.insert_header((header::CONTENT_ENCODING, value));
            }
            let outcome = check_media_type(request.to_http_request().headers());
            assert_eq!(outcome.is_ok(), expected, "{content_type:?} {encoding:?}");
        };
        check(Some("application/json"), None, true);
        check(Some("Application/JSON; charset=\"UTF-8\""), Some("identity"), true);
        check(Some("application/merge-patch+json"), None, true);
        check(None, None, false);
        check(Some("text/plain"), None, false);
        check(Some("application/jsonx"), None, false);
        check(Some("application/json; charset=latin1"), None, false);
        check(Some("application/json"), Some("gzip"), false);
    }
}
