//! How an attempt ends: a decision taken here, applied by `store` in one transaction.

use std::time::Duration;

use serde_json::Value;

use crate::{
    ids::{RunId, TaskId},
    limits::FAILURE_CHARS,
    named_enum,
    retry::RetryPolicy,
    role::Role,
    task::{ClaimedTask, Failure, FailureCode, NewTask, TaskKind, Usage},
    transcript::Turn,
    workflow::{Next, RunEnd},
};

/// How an attempt ended, as its step saw it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Completed {
        /// The task's result, as clients see it.
        result: Value,
        next: Next,
        run: RunProgress,
    },
    Failed {
        failure: Failure,
        retry: Retry,
    },
    /// The worker stops before the work is done; nobody is to blame, no attempt is spent.
    HandedBack,
}

/// Whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After the usual wait.
    Backoff,
    /// Not before this has passed, because the other side said so.
    After(Duration),
    /// No attempt can succeed.
    Never,
}

/// What a step learned about its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    pub base_commit: Option<String>,
    pub branch: Option<String>,
    pub head_commit: Option<String>,
}

/// What one attempt cost and said, whatever came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    pub usage: Usage,
    pub turns: Vec<Turn>,
}

/// Everything that the end of an attempt changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub task_id: TaskId,
    pub run_id: RunId,
    pub role: Role,
    pub kind: TaskKind,
    pub attempt: i32,
    pub fence: i64,
    pub change: Change,
    pub spent: Spent,
}

/// Where the task goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Completed { result: Value, follow_ups: Vec<NewTask>, end: Option<RunEnd>, run: RunProgress },
    Retrying { failure: Failure, after: Duration },
    Failed { failure: Failure, why: DeadLetterReason },
    HandedBack,
}

named_enum! {
    /// Why a task became a dead letter.
    pub enum DeadLetterReason ("dead letter reason") {
        /// Its last attempt failed.
        AttemptsSpent = "attempts_spent",
        /// No attempt could have succeeded.
        Fatal = "fatal",
    }
}

impl ClaimedTask {
    /// Ends this attempt.
    ///
    /// `jitter` is a number from 0 to 1 that spreads retries of tasks that failed together.
    pub fn settle(
        self,
        outcome: Outcome,
        spent: Spent,
        policy: &RetryPolicy,
        jitter: f64,
    ) -> Settlement {
        let change = match outcome {
            Outcome::Completed { result, next, run } => {
                Change::Completed { result, follow_ups: next.follow_ups, end: next.end, run }
            }
            Outcome::HandedBack => Change::HandedBack,
            Outcome::Failed { failure, retry } => after_failure(
                self.attempt,
                self.max_attempts,
                failure.bounded(),
                retry,
                policy,
                jitter,
            ),
        };
        Settlement {
            task_id: self.id,
            run_id: self.run_id,
            role: self.role,
            kind: self.kind,
            attempt: self.attempt,
            fence: self.fence,
            change,
            spent,
        }
    }
}

/// Where a task goes whose attempt failed. Also the scheduler's rule for a lease that ran out.
pub fn after_failure(
    attempt: i32,
    max_attempts: i32,
    failure: Failure,
    retry: Retry,
    policy: &RetryPolicy,
    jitter: f64,
) -> Change {
    let after = match retry {
        Retry::Never => return Change::Failed { failure, why: DeadLetterReason::Fatal },
        Retry::Backoff => policy.delay(attempt, jitter),
        Retry::After(wait) => wait.min(policy.longest_wait),
    };
    if attempt >= max_attempts {
        return Change::Failed { failure, why: DeadLetterReason::AttemptsSpent };
    }
    Change::Retrying { failure, after }
}

impl Failure {
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }.bounded()
    }

    /// The same, short enough to be stored.
    fn bounded(mut self) -> Self {
        if let Some((end, _)) = self.message.char_indices().nth(FAILURE_CHARS) {
            self.message.truncate(end);
            self.message.push('…');
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 4,
        base: Duration::from_millis(2_000),
        longest: Duration::from_secs(300),
        longest_wait: Duration::from_secs(3_600),
    };

    #[test]
    fn a_failed_attempt_is_retried_until_its_attempts_are_spent() {
        check(1, Retry::Backoff, "retrying after 2000 ms");
        check(2, Retry::Backoff, "retrying after 4000 ms");
        check(3, Retry::Backoff, "retrying after 8000 ms");
        check(4, Retry::Backoff, "failed: attempts_spent");
    }

    #[test]
    fn the_other_sides_wait_is_obeyed_up_to_a_bound() {
        check(1, Retry::After(Duration::from_secs(17)), "retrying after 17000 ms");
        check(1, Retry::After(Duration::from_secs(90_000)), "retrying after 3600000 ms");
        check(4, Retry::After(Duration::from_secs(17)), "failed: attempts_spent");
    }

    #[test]
    fn a_fatal_failure_is_never_retried() {
        check(1, Retry::Never, "failed: fatal");
    }

    #[test]
    fn a_long_message_is_cut() {
        let failure = Failure::new(FailureCode::Internal, "é".repeat(FAILURE_CHARS + 5));
        assert_eq!(failure.message.chars().count(), FAILURE_CHARS + 1);
    }

    #[track_caller]
    fn check(attempt: i32, retry: Retry, expected: &str) {
        let failure = Failure::new(FailureCode::ModelTimeout, "slow");
        let actual = match after_failure(attempt, 4, failure, retry, &POLICY, 1.0) {
            Change::Retrying { after, .. } => format!("retrying after {} ms", after.as_millis()),
            Change::Failed { why, .. } => format!("failed: {why}"),
            Change::Completed { .. } | Change::HandedBack => "neither".to_owned(),
        };
        assert_eq!(actual, expected);
    }
}
