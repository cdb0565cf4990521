//! Carrying an assignment out, and what comes of it.

use std::time::Duration;

use async_trait::async_trait;
use domain::{
    role::Role,
    task::{Failure, Usage},
    transcript::Turn,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Assignment;

/// Something that carries assignments out.
#[async_trait]
pub trait AgentExecutor: Send + Sync {
    /// Carries one out. Ends soon after `cancel`, with [`ErrorKind::Cancelled`].
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Report, ExecutionError>;

    /// Who would carry out what is assigned to this role.
    fn describe(&self, role: Role) -> Description;
}

/// Who carries an assignment out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `llm` or `stub`.
    pub executor: &'static str,
    pub model: Option<String>,
}

/// Hears what happens while it happens. Must not block.
pub trait Progress: Send + Sync {
    /// The model said this.
    fn token(&self, text: &str);

    /// This was added to the transcript.
    fn turn(&self, turn: &Turn);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn token(&self, _text: &str) {}

    fn turn(&self, _turn: &Turn) {}
}

/// What came of an assignment.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Of the form that the assignment asked for.
    pub output: Value,
    /// What a person should know of how it came about: what was left out, cut, or is not what it seems.
    pub notes: Vec<String>,
    pub usage: Usage,
    pub turns: Vec<Turn>,
}

/// Why nothing came of an assignment, with what was used and said up to there.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", failure.message)]
pub struct ExecutionError {
    pub kind: ErrorKind,
    pub failure: Failure,
    pub usage: Usage,
    pub turns: Vec<Turn>,
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Try again, after a backoff.
    Retryable,
    /// Try again, not before `retry_after` where it is said.
    RateLimited { retry_after: Option<Duration> },
    /// Trying again brings nothing.
    Fatal,
    /// Whoever asked has cancelled it.
    Cancelled,
}
