//! An executor without a model: deterministic, no network, and it says so in every report.
//!
//! A task's payload can direct it, for demonstrations and tests:
//!
//! ```json
//! {"stub": {"fail": 2, "error": "retryable", "retryAfterMs": 500, "sleepMs": 50}}
//! ```
//!
//! fails the first two attempts in that way, and takes 50 ms for each. Every member may be left out.

mod answers;

use std::time::Duration;

use async_trait::async_trait;
use domain::{
    named_enum,
    role::Role,
    task::{Failure, FailureCode, Usage},
};
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    AgentExecutor, Assignment, Description, ErrorKind, ExecutionError, Progress, Report,
    settings::ResponseFormat,
};

/// The note in every report of the stub.
pub(crate) const NOTE: &str = "stub executor: no model was asked, this answer is made up";

/// Answers every assignment at once, always in the same way.
#[derive(Clone, Copy, Debug)]
pub struct StubExecutor {
    format: ResponseFormat,
}

/// What a payload asks of the stub.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Directive {
    /// Attempts that fail, from the first on.
    fail: u32,
    error: Way,
    retry_after_ms: Option<u64>,
    sleep_ms: u64,
}

named_enum! {
    /// How to fail.
    enum Way ("way to fail") {
        Retryable = "retryable",
        RateLimited = "rate_limited",
        Fatal = "fatal",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro has no place for a default")]
impl Default for Way {
    fn default() -> Self {
        Self::Retryable
    }
}

impl StubExecutor {
    pub fn new(format: ResponseFormat) -> Self {
        Self { format }
    }
}

#[async_trait]
impl AgentExecutor for StubExecutor {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Report, ExecutionError> {
        let directive = directive(&assignment.payload)?;
        let sleep = Duration::from_millis(directive.sleep_ms);
        if cancel.is_cancelled()
            || (!sleep.is_zero()
                && cancel.run_until_cancelled(tokio::time::sleep(sleep)).await.is_none())
        {
            return Err(ended(
                ErrorKind::Cancelled,
                FailureCode::TimedOut,
                "the task was cancelled".to_owned(),
            ));
        }
        if i64::from(assignment.attempt) <= i64::from(directive.fail) {
            return Err(failure_of(&directive, assignment.attempt));
        }
        progress.token(NOTE);
        let output = answers::answer(assignment, self.format);
        Ok(Report {
            output,
            notes: vec![NOTE.to_owned()],
            usage: Usage::default(),
            turns: Vec::new(),
        })
    }

    fn describe(&self, _role: Role) -> Description {
        Description { executor: "stub", model: None }
    }
}

fn directive(payload: &Value) -> Result<Directive, ExecutionError> {
    match payload.get("stub") {
        None | Some(Value::Null) => Ok(Directive::default()),
        Some(directive) => Directive::deserialize(directive).map_err(|error| {
            ended(
                ErrorKind::Fatal,
                FailureCode::InvalidInput,
                format!("payload.stub cannot be read: {error}"),
            )
        }),
    }
}

fn failure_of(directive: &Directive, attempt: i32) -> ExecutionError {
    let message =
        format!("the stub fails attempt {attempt} of {}, as it was told to", directive.fail);
    match directive.error {
        Way::Retryable => ended(ErrorKind::Retryable, FailureCode::ModelUnavailable, message),
        Way::Fatal => ended(ErrorKind::Fatal, FailureCode::InvalidInput, message),
        Way::RateLimited => {
            let retry_after = directive.retry_after_ms.map(Duration::from_millis);
            ended(ErrorKind::RateLimited { retry_after }, FailureCode::RateLimited, message)
        }
    }
}

fn ended(kind: ErrorKind, code: FailureCode, message: String) -> ExecutionError {
    ExecutionError {
        kind,
        failure: Failure { code, message },
        usage: Usage::default(),
        turns: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
