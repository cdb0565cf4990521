//! Why a step did not come to its end, and whether another attempt may.

use agent_executor::{ErrorKind, ExecutionError};
use domain::{
    settlement::{Outcome, Retry},
    task::{Failure, FailureCode},
    workflow::BadInput,
};

use crate::trouble::chain;

/// What kept a step from its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// The agent did not answer.
    #[error("the agent did not answer")]
    Agent(#[source] Box<ExecutionError>),
    /// The agent's answer is not of use.
    #[error("the agent's answer cannot be used: {0}")]
    Answer(String),
    /// The repository cannot be read or written.
    #[error(transparent)]
    Repository(#[from] workspace::Error),
    /// The payload is not what such a task takes.
    #[error(transparent)]
    Payload(#[from] BadInput),
    /// The task cannot be done as it is asked.
    #[error("{0}")]
    InvalidInput(String),
    /// The run has used what it may use.
    #[error("the run's budget of {max_tokens} tokens is spent: {used} are used")]
    BudgetSpent { max_tokens: i64, used: i64 },
    /// Somebody else may hold the task by now. The attempt is stopped, so that nobody reads this.
    #[error("the lease was lost")]
    LeaseLost,
}

impl StepError {
    pub(super) fn into_outcome(self) -> Outcome {
        let (code, retry) = self.judge();
        let failure = if let Self::Agent(error) = self {
            error.failure
        } else {
            Failure::new(code, chain(&self))
        };
        Outcome::Failed { failure, retry }
    }

    fn judge(&self) -> (FailureCode, Retry) {
        match self {
            Self::Agent(error) => (error.failure.code, retry_of(error.kind)),
            Self::Answer(_) => (FailureCode::InvalidOutput, Retry::Backoff),
            Self::Repository(error) => repository(error),
            Self::Payload(_) | Self::InvalidInput(_) => (FailureCode::InvalidInput, Retry::Never),
            Self::BudgetSpent { .. } => (FailureCode::PolicyViolation, Retry::Never),
            Self::LeaseLost => (FailureCode::LeaseExpired, Retry::Backoff),
        }
    }
}

const fn retry_of(kind: ErrorKind) -> Retry {
    match kind {
        ErrorKind::Retryable | ErrorKind::Cancelled => Retry::Backoff,
        ErrorKind::RateLimited { retry_after: Some(wait) } => Retry::After(wait),
        ErrorKind::RateLimited { retry_after: None } => Retry::Backoff,
        ErrorKind::Fatal => Retry::Never,
    }
}

fn repository(error: &workspace::Error) -> (FailureCode, Retry) {
    use workspace::Error;
    let code = match error {
        Error::NotAllowed(_) | Error::Refused(_) | Error::Rejected { .. } => {
            FailureCode::PolicyViolation
        }
        Error::Unauthorised { .. } => FailureCode::Misconfigured,
        Error::InvalidLocation { .. }
        | Error::InvalidCommit(_)
        | Error::InvalidRef(_)
        | Error::NotFound { .. }
        | Error::Empty { .. } => FailureCode::InvalidInput,
        Error::Unavailable { .. }
        | Error::Malformed { .. }
        | Error::TimedOut { .. }
        | Error::Cancelled { .. }
        | Error::TooLarge { .. }
        | Error::BranchMoved { .. }
        | Error::Io { .. }
        | Error::Git { .. } => FailureCode::RepositoryUnavailable,
    };
    // What was cancelled says nothing about the repository.
    let again = error.is_retryable() || matches!(error, Error::Cancelled { .. });
    (code, if again { Retry::Backoff } else { Retry::Never })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::task::Usage;

    use super::*;

    #[test]
    fn what_went_wrong_decides_what_is_said_and_whether_it_is_repeated() {
        check(
            agent(ErrorKind::Retryable, FailureCode::ModelTimeout),
            "model_timeout: as the agent said it",
            Retry::Backoff,
        );
        let wait = Duration::from_secs(17);
        check(
            agent(ErrorKind::RateLimited { retry_after: Some(wait) }, FailureCode::RateLimited),
            "rate_limited: as the agent said it",
            Retry::After(wait),
        );
        check(
            agent(ErrorKind::RateLimited { retry_after: None }, FailureCode::RateLimited),
            "rate_limited: as the agent said it",
            Retry::Backoff,
        );
        check(
            agent(ErrorKind::Fatal, FailureCode::Misconfigured),
            "misconfigured: as the agent said it",
            Retry::Never,
        );
        check(
            StepError::Answer("it changes nothing".to_owned()),
            "invalid_output: the agent's answer cannot be used: it changes nothing",
            Retry::Backoff,
        );
        check(
            workspace::Error::NotFound { what: "owner/name".to_owned() }.into(),
            "invalid_input: owner/name was not found, or may not be seen with these credentials",
            Retry::Never,
        );
        check(
            workspace::Error::TimedOut { doing: "fetch", seconds: 120 }.into(),
            "repository_unavailable: git took more than 120 s to fetch",
            Retry::Backoff,
        );
        check(
            workspace::Error::NotAllowed("ORCH_GIT_ALLOW_LOCAL forbids it".to_owned()).into(),
            "policy_violation: ORCH_GIT_ALLOW_LOCAL forbids it",
            Retry::Never,
        );
        check(
            StepError::BudgetSpent { max_tokens: 10, used: 12 },
            "policy_violation: the run's budget of 10 tokens is spent: 12 are used",
            Retry::Never,
        );
    }

    fn agent(kind: ErrorKind, code: FailureCode) -> StepError {
        let failure = Failure { code, message: "as the agent said it".to_owned() };
        let usage = Usage::default();
        StepError::Agent(Box::new(ExecutionError { kind, failure, usage, turns: Vec::new() }))
    }

    #[track_caller]
    fn check(error: StepError, said: &str, expected: Retry) {
        let Outcome::Failed { failure, retry } = error.into_outcome() else {
            panic!("{said}: not failed")
        };
        assert_eq!(
            (format!("{}: {}", failure.code, failure.message).as_str(), retry),
            (said, expected)
        );
    }
}
