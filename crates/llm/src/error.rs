//! What may go wrong between us and a model server, sorted by what the caller can do about it.

use std::{fmt, time::Duration};

use crate::policy::PolicyViolation;

/// A request that brought no answer. No variant holds a key, and every text in it is bounded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: wrong address, nothing listens, or TLS failed.
    #[error("the model server at {server} cannot be reached: {cause}")]
    Unreachable { server: String, cause: String },
    /// The server was too slow.
    #[error("the model server did not {phase} within {} ms", after.as_millis())]
    Timeout { phase: Phase, after: Duration },
    /// The server asks for patience; not before `retry_after`, where it says so.
    #[error("the model server asks for patience (status {status})")]
    RateLimited { status: u16, retry_after: Option<Duration> },
    /// The server failed in a way that may pass.
    #[error("the model server failed with status {status}: {message}")]
    Status { status: u16, message: String },
    /// The server refuses this request and would refuse it again: a wrong key, an unknown model, a bad request.
    #[error("the model server refused the request with status {status}: {message}")]
    Rejected { status: u16, message: String },
    /// The conversation does not fit the model's context; a shorter one may.
    #[error("the conversation does not fit the model's context (status {status}): {message}")]
    ContextExceeded { status: u16, message: String },
    /// The server points elsewhere, and we do not follow.
    #[error(
        "the model server answered with a redirect (status {status}); redirects are off: set the final URL"
    )]
    Redirected { status: u16 },
    /// The answer broke off before its end, or the server reported an error in its middle.
    #[error("the model's answer broke off: {cause}")]
    Interrupted { cause: String },
    /// What came is not what the wire format says.
    #[error("the model server's answer cannot be read: {cause}")]
    Malformed { cause: String },
    /// The answer is larger than any that we asked for.
    #[error("the model server's answer is larger than {limit} bytes")]
    TooLarge { limit: usize },
    /// Policy forbids the host, or the address that its name stands for.
    #[error(transparent)]
    PolicyViolation(#[from] PolicyViolation),
    /// The HTTP client cannot be built; no request was made.
    #[error("the HTTP client for the model server cannot be built: {cause}")]
    Unusable { cause: String },
}

impl Error {
    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::RateLimited { .. }
            | Self::Status { .. }
            | Self::Interrupted { .. }
            | Self::Malformed { .. } => true,
            Self::Rejected { .. }
            | Self::ContextExceeded { .. }
            | Self::Redirected { .. }
            | Self::TooLarge { .. }
            | Self::PolicyViolation(_)
            | Self::Unusable { .. } => false,
        }
    }

    /// The kind of error, as a metric's label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::RateLimited { .. } => "rate_limited",
            Self::Status { .. } => "status",
            Self::Rejected { .. } => "rejected",
            Self::ContextExceeded { .. } => "context_exceeded",
            Self::Redirected { .. } => "redirected",
            Self::Interrupted { .. } => "interrupted",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::PolicyViolation(_) => "policy_violation",
            Self::Unusable { .. } => "unusable",
        }
    }
}

/// What a server was too slow for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing came at all.
    FirstByte,
    /// The answer began, and then nothing came for too long.
    Idle,
    /// The answer as a whole took too long.
    Total,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstByte => "begin to answer",
            Self::Idle => "go on with its answer",
            Self::Total => "finish its answer",
        })
    }
}
