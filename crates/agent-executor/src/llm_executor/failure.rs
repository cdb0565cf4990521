//! What an error of the model server means for the task.
//!
//! | error | `LOCAL_LLM_ERROR_MODE=fail` | `throw` |
//! | --- | --- | --- |
//! | asks for patience (429, or 503 with Retry-After) | retried when it says | retried when it says |
//! | may pass: unreachable, too slow, 5xx, broken or unreadable answer | fails | retried with backoff |
//! | no valid answer after all repairs | fails | retried with backoff |
//! | refused, too long even when shortened, redirected, too large, forbidden by policy | fails | fails |

use domain::{
    limits::FAILURE_CHARS,
    task::{Failure, FailureCode},
};
use llm::Error;

use crate::{ErrorKind, settings::ErrorMode};

/// Why a conversation came to no valid answer.
#[derive(Debug)]
pub(super) enum Stop {
    Model(Error),
    Invalid { complaints: Vec<String>, repairs: u32 },
}

/// What to do about it.
pub(super) fn of(stop: Stop, mode: ErrorMode) -> (ErrorKind, Failure) {
    match stop {
        Stop::Model(error) => (kind_of(&error, mode), failure(code_of(&error), &error.to_string())),
        Stop::Invalid { complaints, repairs } => {
            let complaints = complaints.join("; ");
            let message =
                format!("the model's answer is not valid after {repairs} repairs: {complaints}");
            (passing(mode), failure(FailureCode::InvalidOutput, &message))
        }
    }
}

fn kind_of(error: &Error, mode: ErrorMode) -> ErrorKind {
    if let Error::RateLimited { retry_after, .. } = error {
        ErrorKind::RateLimited { retry_after: *retry_after }
    } else if error.is_retryable() {
        passing(mode)
    } else {
        ErrorKind::Fatal
    }
}

const fn code_of(error: &Error) -> FailureCode {
    match error {
        Error::Unreachable { .. }
        | Error::Status { .. }
        | Error::Interrupted { .. }
        | Error::Malformed { .. } => FailureCode::ModelUnavailable,
        Error::Timeout { .. } => FailureCode::ModelTimeout,
        Error::RateLimited { .. } => FailureCode::RateLimited,
        Error::Rejected { .. }
        | Error::ContextExceeded { .. }
        | Error::Redirected { .. }
        | Error::Unusable { .. } => FailureCode::Misconfigured,
        Error::TooLarge { .. } => FailureCode::InvalidOutput,
        Error::PolicyViolation(_) => FailureCode::PolicyViolation,
    }
}

const fn passing(mode: ErrorMode) -> ErrorKind {
    match mode {
        ErrorMode::Fail => ErrorKind::Fatal,
        ErrorMode::Throw => ErrorKind::Retryable,
    }
}

fn failure(code: FailureCode, message: &str) -> Failure {
    Failure { code, message: message.replace('\0', "␀").chars().take(FAILURE_CHARS).collect() }
}
