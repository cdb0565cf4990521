use domain::{
    ids::RunId,
    run::{Budget, RunFacts},
    task::{Priority, TaskKind, Usage},
    workflow::Workflow,
};
use serde_json::json;

use super::*;
use crate::slots::Slots;

const LEASE: Duration = Duration::from_secs(30);

#[test]
fn a_lease_that_ends_soon_or_an_attempt_that_takes_too_long_is_stopped() {
    let check = |after: u64, renewed_after: Option<u64>, expected: Option<Stop>| {
        let running = Arc::new(Running::new(LEASE));
        let asked = Instant::now();
        let held = running.hold(&claimed(TaskId::new(), 1), slot(), asked);
        if let Some(seconds) = renewed_after {
            held.lease.renewed(asked + Duration::from_secs(seconds) + LEASE);
        }
        let now = asked + Duration::from_secs(after);
        running.stop_overdue(now, Duration::from_secs(5), Duration::from_secs(100));
        assert_eq!(held.lease.why(), expected, "{after} s, renewed after {renewed_after:?}");
        assert_eq!(held.lease.stopped().is_cancelled(), expected.is_some());
    };
    check(24, None, None);
    check(25, None, Some(Stop::LeaseLost));
    check(34, Some(10), None);
    check(35, Some(10), Some(Stop::LeaseLost));
    check(100, Some(90), None);
    check(101, Some(90), Some(Stop::TimedOut));
}

#[test]
fn a_lease_is_over_when_it_has_lasted_since_it_was_asked_for_or_renewed() {
    let running = Arc::new(Running::new(LEASE));
    let asked = Instant::now();
    let lease = running.hold(&claimed(TaskId::new(), 1), slot(), asked).lease.clone();
    assert!(!lease.is_over(asked) && lease.is_over(asked + LEASE));
    lease.renewed(asked + LEASE * 2);
    assert!(!lease.is_over(asked + LEASE) && lease.is_over(asked + LEASE * 2));
}

#[test]
fn a_reason_that_voids_the_result_outweighs_one_that_does_not() {
    let check = |reasons: &[Stop], expected: Stop| {
        let running = Arc::new(Running::new(LEASE));
        let held = running.hold(&claimed(TaskId::new(), 1), slot(), Instant::now());
        for reason in reasons {
            held.lease.stop(*reason);
        }
        assert_eq!(held.lease.why(), Some(expected), "{reasons:?}");
    };
    check(&[Stop::HandBack, Stop::TimedOut], Stop::HandBack);
    check(&[Stop::HandBack, Stop::LeaseLost], Stop::LeaseLost);
    check(&[Stop::Cancelled, Stop::HandBack], Stop::Cancelled);
    check(&[Stop::LeaseLost, Stop::Cancelled], Stop::LeaseLost);
}

#[test]
fn a_newer_claim_of_the_same_task_shows_that_the_older_lease_is_lost() {
    let running = Arc::new(Running::new(LEASE));
    let task = TaskId::new();
    let older = running.hold(&claimed(task, 1), slot(), Instant::now());
    let newer = running.hold(&claimed(task, 2), slot(), Instant::now());
    assert_eq!((older.lease.why(), newer.lease.why()), (Some(Stop::LeaseLost), None));
    let claims: Vec<_> = running.leases().iter().map(|it| it.claim).collect();
    assert_eq!(claims, [(task, 2)]);
}

#[tokio::test]
async fn what_is_claimed_while_the_worker_hands_back_goes_back_as_well() {
    let running = Arc::new(Running::new(LEASE));
    let before = running.hold(&claimed(TaskId::new(), 1), slot(), Instant::now());
    assert_eq!(running.hand_back(), 1);
    let after = running.hold(&claimed(TaskId::new(), 1), slot(), Instant::now());
    assert_eq!(
        (before.lease.why(), after.lease.why()),
        (Some(Stop::HandBack), Some(Stop::HandBack))
    );

    drop(before);
    assert_eq!(running.len(), 1);
    drop(after);
    running.emptied().await;
}

fn slot() -> Slot {
    Slots::new(1).take_free(1).remove(0)
}

fn claimed(id: TaskId, fence: i64) -> ClaimedTask {
    let now = chrono::DateTime::UNIX_EPOCH;
    ClaimedTask {
        id,
        run_id: RunId::new(),
        role: Role::Reviewer,
        kind: TaskKind::Single,
        description: String::new(),
        payload: json!({}),
        priority: Priority::NORMAL,
        attempt: 1,
        max_attempts: 4,
        fence,
        created_at: now,
        queued_at: now,
        claimed_at: now,
        run: RunFacts {
            workflow: Workflow::Single,
            goal: String::new(),
            repository: None,
            base_ref: None,
            base_commit: None,
            branch: None,
            head_commit: None,
            budget: Budget::default(),
            usage: Usage::default(),
        },
    }
}
