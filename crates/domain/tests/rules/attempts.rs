//! The end of attempts, and the waits between them.

use std::time::Duration;

use domain::{
    limits::FAILURE_CHARS,
    retry::RetryPolicy,
    settlement::{
        Change, DeadLetterReason, Outcome, Retry, RunProgress, Settlement, Spent, after_failure,
    },
    task::{ClaimedTask, Failure, FailureCode, TaskKind, Usage},
    workflow::{Next, Workflow},
};
use proptest::{prelude::*, sample::select};
use serde_json::json;

use crate::workflows::claimed;

fn retry() -> impl Strategy<Value = Retry> {
    prop_oneof![
        Just(Retry::Backoff),
        Just(Retry::Never),
        (0..100_000_u64).prop_map(|seconds| Retry::After(Duration::from_secs(seconds))),
    ]
}

fn policy() -> impl Strategy<Value = RetryPolicy> {
    (0..20_u16, 0..1_000_000_u64)
        .prop_map(|(retries, ms)| RetryPolicy::new(retries, Duration::from_millis(ms)))
}

fn failure() -> impl Strategy<Value = Failure> {
    (select(FailureCode::ALL), ".{0,40}").prop_map(|(code, text)| Failure::new(code, text))
}

fn attempt(attempt: i32, max_attempts: i32) -> ClaimedTask {
    let task = claimed(Workflow::Single, TaskKind::Single, json!({}), None);
    ClaimedTask { attempt, max_attempts, fence: i64::from(attempt) + 7, ..task }
}

fn settled(task: &ClaimedTask, outcome: Outcome) -> Settlement {
    let policy = RetryPolicy::new(3, Duration::from_secs(1));
    task.clone().settle(outcome, Spent::default(), &policy, 0.5)
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_failure_is_tried_again_while_attempts_are_left(
        attempt in 1..30_i32, most in 1..30_i32, failure in failure(), retry in retry(), policy in policy(),
        jitter in 0.0..=1.0_f64,
    ) {
        let change = after_failure(attempt, most, failure.clone(), retry, &policy, jitter);
        let expected = if retry == Retry::Never {
            Change::Failed { failure, why: DeadLetterReason::Fatal }
        } else if attempt >= most {
            Change::Failed { failure, why: DeadLetterReason::AttemptsSpent }
        } else {
            let Change::Retrying { after, .. } = change else {
                return Err(TestCaseError::fail(format!("{change:?}")));
            };
            match retry {
                Retry::After(asked) => prop_assert_eq!(after, asked.min(policy.longest_wait)),
                Retry::Backoff | Retry::Never => prop_assert_eq!(after, policy.delay(attempt, jitter)),
            }
            Change::Retrying { failure, after }
        };
        prop_assert_eq!(change, expected);
    }

    /// However a task fails, it has failed for good after as many attempts as it has.
    #[test]
    fn attempts_end(most in 1..30_i32, retries in prop::collection::vec(retry(), 30), policy in policy()) {
        let mut attempt = 1;
        for retry in retries {
            let failure = Failure::new(FailureCode::Internal, "no");
            match after_failure(attempt, most, failure, retry, &policy, 0.0) {
                Change::Retrying { .. } => attempt += 1,
                Change::Failed { .. } => break,
                change @ (Change::Completed { .. } | Change::HandedBack) => panic!("{change:?}"),
            }
        }
        prop_assert!(attempt <= most);
    }

    /// At least half of what doubling gives, at most all of it, never more than the bound, never less than the attempt before.
    #[test]
    fn waits_grow_up_to_a_bound(policy in policy(), attempt in -3..100_i32, jitter in -1.0..2.0_f64) {
        let wait = policy.delay(attempt, jitter);
        let (least, most) = (policy.delay(attempt, 0.0), policy.delay(attempt, 1.0));
        prop_assert!(least <= wait && wait <= most);
        prop_assert!(most <= policy.longest);
        // One nanosecond for rounding.
        prop_assert!(most.abs_diff(least * 2) <= Duration::from_nanos(2));
        prop_assert!(most <= policy.delay(attempt.saturating_add(1), 1.0));
        if attempt <= 1 {
            prop_assert_eq!(most, policy.base);
        }
    }

    #[test]
    fn a_policy_counts_the_first_attempt(retries in any::<u16>(), ms in 0..10_000_000_u64) {
        let policy = RetryPolicy::new(retries, Duration::from_millis(ms));
        prop_assert_eq!(policy.max_attempts, i32::from(retries) + 1);
        prop_assert!(policy.base <= policy.longest);
    }

    /// A settlement says whose it is as the claim did: that is what it is guarded with.
    #[test]
    fn a_settlement_is_that_of_its_claim(number in 1..9_i32, most in 1..9_i32, failure in failure(), retry in retry()) {
        let task = attempt(number, most);
        let completed =
            Outcome::Completed { result: json!({}), next: Next::default(), run: RunProgress::default() };
        for outcome in [completed, Outcome::HandedBack, Outcome::Failed { failure: failure.clone(), retry }] {
            let settlement = settled(&task, outcome.clone());
            prop_assert_eq!(
                (settlement.task_id, settlement.run_id, settlement.attempt, settlement.fence),
                (task.id, task.run_id, task.attempt, task.fence)
            );
            prop_assert_eq!((settlement.role, settlement.kind), (task.role, task.kind));
            let fits = match outcome {
                Outcome::Completed { .. } => matches!(settlement.change, Change::Completed { .. }),
                Outcome::HandedBack => settlement.change == Change::HandedBack,
                Outcome::Failed { .. } => {
                    matches!(settlement.change, Change::Retrying { .. } | Change::Failed { .. })
                }
            };
            prop_assert!(fits, "{:?}", settlement.change);
        }
    }

    #[test]
    fn a_failures_text_is_bounded(text in prop::collection::vec(any::<char>(), 0..20), times in 1..300_usize) {
        let text: String = text.into_iter().collect::<String>().repeat(times);
        let stored = Failure::new(FailureCode::Internal, text.clone()).message;
        prop_assert!(stored.chars().count() <= FAILURE_CHARS + 1);
        prop_assert!(text.starts_with(stored.trim_end_matches('…')) || text == stored);
    }

    /// Servers may say anything of what was used.
    #[test]
    fn usage_is_bounded(requests: i64, tokens_in: i64, tokens_out: i64, model_ms: i64) {
        let bounded = Usage { requests, tokens_in, tokens_out, model_ms }.bounded();
        for count in [bounded.requests, bounded.tokens_in, bounded.tokens_out, bounded.model_ms] {
            prop_assert!((0..=1_000_000_000_000).contains(&count));
        }
        prop_assert_eq!(bounded.bounded(), bounded);
        let mut sum = Usage { requests, tokens_in, tokens_out, model_ms };
        sum += bounded;
        prop_assert_eq!(sum.requests, requests.saturating_add(bounded.requests));
    }
}
