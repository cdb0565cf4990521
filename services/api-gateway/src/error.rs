//! Everything that can go wrong with a request, and the one table of codes that clients see.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use domain::{
    access::Scope,
    ids::{RunId, ScheduleId, TaskId},
    run::RunStatus,
    task::TaskStatus,
    workflow::Workflow,
};
use web::{FieldError, Problem};

/// The wait that a client is told where the same request may succeed soon.
const SOON: Duration = Duration::from_secs(1);

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $status:ident, $meaning:literal;)*) => {
        /// The code of a problem: stable, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Every code, those that the web crate answers by itself included.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            /// What happened, for `docs/api.md`.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$code => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidJson = "invalid_json", BAD_REQUEST, "The body is not JSON, nested too deeply, or holds a NUL character.";
    InvalidBody = "invalid_body", BAD_REQUEST, "A field of the body is unknown, missing or of the wrong type; `errors` names it.";
    InvalidQuery = "invalid_query", BAD_REQUEST, "A query parameter is unknown, wrong or there twice; `errors` names it.";
    InvalidPath = "invalid_path", BAD_REQUEST, "A segment of the path is not an id.";
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "The cursor is not one that an earlier page gave.";
    InvalidHeader = "invalid_header", BAD_REQUEST, "A header is not what it must be; `errors` names it.";
    BrokenBody = "broken_body", BAD_REQUEST, "The body ended early or is wrongly framed.";
    MissingKey = "missing_key", UNAUTHORIZED, "The request has no API key.";
    InvalidAuthorization = "invalid_authorization", UNAUTHORIZED, "The Authorization header is not one bearer token.";
    InvalidKey = "invalid_key", UNAUTHORIZED, "The API key is unknown, revoked or expired.";
    InsufficientScope = "insufficient_scope", FORBIDDEN, "The API key lacks the scope that this needs.";
    NoSuchPath = "no_such_path", NOT_FOUND, "Nothing is served at this path.";
    TaskNotFound = "task_not_found", NOT_FOUND, "There is no such task.";
    RunNotFound = "run_not_found", NOT_FOUND, "There is no such run.";
    ScheduleNotFound = "schedule_not_found", NOT_FOUND, "There is no such schedule.";
    DeliveryNotFound = "delivery_not_found", NOT_FOUND, "There is no such delivery.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path has other methods; `Allow` lists them.";
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT, "The body came too slowly.";
    TaskStatus = "task_status", CONFLICT, "The task's status does not allow it; `errors` has the status.";
    RunStatus = "run_status", CONFLICT, "The run's status does not allow it; `errors` has the status.";
    IdExists = "id_exists", CONFLICT, "An id chosen by the client is taken.";
    NameTaken = "name_taken", CONFLICT, "Another schedule has this name.";
    BadDependency = "bad_dependency", CONFLICT, "A dependency is not in the same run, or leads around a circle.";
    NeedsRepository = "needs_repository", CONFLICT, "The schedule's workflow needs a repository, and it has none.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is larger than allowed.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body is not sent as JSON.";
    InvalidField = "invalid_field", UNPROCESSABLE_ENTITY, "A field's value is not acceptable; `errors` names each.";
    KeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key came with another request before.";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "The rate limit is reached; `Retry-After` says when to go on.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "The server failed; its log has the reason.";
    Busy = "busy", SERVICE_UNAVAILABLE, "Too many requests wait for the database; `Retry-After` says when to go on.";
    DatabaseUnavailable = "database_unavailable", SERVICE_UNAVAILABLE, "The database does not answer.";
    TooManyStreams = "too_many_streams", SERVICE_UNAVAILABLE, "As many event streams are open as may be.";
}

impl Code {
    fn problem(self, detail: impl Into<String>) -> Problem {
        Problem::new(self.status(), self.name(), detail)
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("{field}: {detail}")]
    InvalidHeader { field: &'static str, detail: &'static str },
    #[error("send an API key as `Authorization: Bearer orch_…`")]
    MissingKey,
    #[error("this API key is unknown, revoked or expired")]
    InvalidKey,
    #[error("this needs an API key with the scope `{0}`")]
    InsufficientScope(Scope),
    #[error("more requests than allowed")]
    TooManyRequests { retry_after: Duration },
    #[error("task {0} does not exist")]
    TaskNotFound(TaskId),
    #[error("run {0} does not exist")]
    RunNotFound(RunId),
    #[error("schedule {0} does not exist")]
    ScheduleNotFound(ScheduleId),
    #[error("delivery {0} does not exist")]
    DeliveryNotFound(String),
    #[error("task {id} is {status}: {rule}")]
    TaskStatus { id: TaskId, status: TaskStatus, rule: &'static str },
    #[error("run {id} is {status}: {rule}")]
    RunStatus { id: RunId, status: RunStatus, rule: &'static str },
    #[error("these ids exist already: {}", .0.join(", "))]
    IdExists(Vec<String>),
    #[error("another schedule has the name `{0}`")]
    NameTaken(String),
    #[error("schedule {id} has no repository, and the workflow `{workflow}` needs one")]
    LacksRepository { id: ScheduleId, workflow: Workflow },
    #[error("{}", listed(.0))]
    InvalidFields(Vec<FieldError>),
    #[error(
        "task {task} cannot depend on {depends_on}: it is not in the same run, or leads around a circle"
    )]
    BadDependency { task: TaskId, depends_on: TaskId },
    #[error("this Idempotency-Key came with another request before: use a new one")]
    KeyReused,
    #[error(
        "the database did not answer in time; whether this was done is not known: send it again, with an Idempotency-Key"
    )]
    TooLate,
    #[error("{0} event streams are open already")]
    TooManyStreams(usize),
    #[error("{0}")]
    Bug(&'static str),
}

fn listed(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(|error| format!("`{}`: {}", error.field, error.detail))
        .collect::<Vec<_>>()
        .join("; ")
}

impl ApiError {
    /// What the client is told. A cause of ours is logged here, once.
    pub(crate) fn problem(&self) -> Problem {
        let detail = self.to_string();
        match self {
            Self::Problem(problem) => problem.clone(),
            Self::Store(error) => store_problem(error),
            Self::InvalidHeader { field, detail: why } => {
                Code::InvalidHeader.problem(detail).with_error(FieldError::new(*field, *why))
            }
            Self::MissingKey => {
                challenge(Code::MissingKey.problem(detail), "Bearer realm=\"orchestrator\"")
            }
            Self::InvalidKey => challenge(
                Code::InvalidKey.problem(detail),
                "Bearer realm=\"orchestrator\", error=\"invalid_token\"",
            ),
            Self::InsufficientScope(_) => Code::InsufficientScope.problem(detail),
            Self::TooManyRequests { retry_after } => {
                Problem::too_many_requests(detail, *retry_after)
            }
            Self::TaskNotFound(_) => Code::TaskNotFound.problem(detail),
            Self::RunNotFound(_) => Code::RunNotFound.problem(detail),
            Self::ScheduleNotFound(_) => Code::ScheduleNotFound.problem(detail),
            Self::DeliveryNotFound(_) => Code::DeliveryNotFound.problem(detail),
            Self::TaskStatus { status, .. } => Code::TaskStatus
                .problem(detail)
                .with_error(FieldError::new("status", status.name())),
            Self::RunStatus { status, .. } => {
                Code::RunStatus.problem(detail).with_error(FieldError::new("status", status.name()))
            }
            Self::IdExists(ids) => ids.iter().fold(Code::IdExists.problem(detail), |it, id| {
                it.with_error(FieldError::new("id", id))
            }),
            Self::NameTaken(_) => {
                Code::NameTaken.problem(detail).with_error(FieldError::in_body("name", "taken"))
            }
            Self::LacksRepository { .. } => Code::NeedsRepository
                .problem(detail)
                .with_error(FieldError::in_body("repository", "missing")),
            Self::InvalidFields(errors) => {
                errors.iter().cloned().fold(Code::InvalidField.problem(detail), Problem::with_error)
            }
            Self::BadDependency { depends_on, .. } => Code::BadDependency
                .problem(detail)
                .with_error(FieldError::new("dependsOn", depends_on.to_string())),
            Self::KeyReused => Code::KeyReused.problem(detail),
            Self::TooLate => {
                tracing::warn!("a creation did not end in time; its client was told to try again");
                Problem::unavailable(Code::DatabaseUnavailable.name(), detail, SOON)
            }
            Self::TooManyStreams(_) => {
                Problem::unavailable(Code::TooManyStreams.name(), detail, SOON)
            }
            Self::Bug(_) => Problem::internal(self),
        }
    }
}

fn challenge(problem: Problem, value: &'static str) -> Problem {
    problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(value))
}

fn store_problem(error: &store::Error) -> Problem {
    if matches!(error, store::Error::Busy) {
        return Problem::unavailable(Code::Busy.name(), error.to_string(), SOON);
    }
    if error.is_transient() {
        tracing::warn!(error = %in_one_line(error), "the database is not available");
        return Problem::unavailable(
            Code::DatabaseUnavailable.name(),
            "the database is not available",
            SOON,
        );
    }
    Problem::internal(in_one_line(error))
}

/// An error with its causes.
pub(crate) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.problem().status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.problem().error_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_clients_has_a_row_for_each_code() {
        let page = include_str!("../../../docs/api.md");
        for code in Code::ALL {
            let row =
                format!("| `{}` | {} | {} |", code.name(), code.status().as_u16(), code.meaning());
            assert!(page.lines().any(|line| line == row), "docs/api.md lacks this row:\n{row}");
        }
    }

    #[test]
    fn codes_are_stable() {
        let table: String = Code::ALL
            .iter()
            .map(|code| format!("{} {}\n", code.status().as_u16(), code.name()))
            .collect();
        insta::assert_snapshot!(table);
    }
}
