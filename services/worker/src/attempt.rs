//! One attempt: a claimed task becomes a settlement, whatever its step does.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    settlement::{Outcome, Retry, Spent},
    task::{ClaimedTask, Failure, FailureCode},
};
use futures_util::FutureExt;
use tokio::time;

use crate::{
    Inner,
    batch::Finished,
    drain, metrics,
    running::{Held, Stop},
    slots::Slot,
    steps::{self, Stepped},
    trouble::jitter,
};

/// Starts an attempt in a task of its own. The claim was sent to the store at `asked`.
pub(crate) fn start(worker: &Arc<Inner>, task: ClaimedTask, slot: Slot, asked: Instant) {
    let held = worker.running.hold(&task, slot, asked);
    let worker = worker.clone();
    tokio::spawn(async move { run(worker, task, held, asked).await });
}

async fn run(worker: Arc<Inner>, task: ClaimedTask, held: Held, asked: Instant) {
    faults::poisoned_by(&task.description);
    faults::point!("worker.step.before");
    let end = execute(&worker, &task, &held).await;
    faults::point!("worker.step.after");
    let elapsed = asked.elapsed();
    match end {
        Ok(Stepped { outcome, spent }) => {
            metrics::executed(&task, name(&outcome), elapsed);
            let age = metrics::between(task.created_at, task.claimed_at) + elapsed;
            let settlement = task.settle(outcome, spent, &worker.config.retry, jitter());
            worker.settle(Finished { settlement, held, age, elapsed });
        }
        Err(void) => {
            metrics::executed(&task, "void", elapsed);
            say_void(&task, void, elapsed);
        }
    }
}

/// Runs the step until it ends, or is stopped. An error if the result is void: then nothing may be written any more.
async fn execute(worker: &Inner, task: &ClaimedTask, held: &Held) -> Result<Stepped, Stop> {
    if !worker.config.roles.contains(&task.role) {
        // Its role was changed after it was announced.
        return Ok(Stepped { outcome: Outcome::HandedBack, spent: Spent::default() });
    }
    let lease = &held.lease;
    if lease.is_over(Instant::now()) {
        // This process slept between the claim and this line: by now the task may be done.
        lease.stop(Stop::LeaseLost);
        return Err(Stop::LeaseLost);
    }
    let mut step = Box::pin(AssertUnwindSafe(steps::run(worker, task, lease)).catch_unwind());
    let mut ended = lease.stopped().run_until_cancelled(&mut step).await;
    if ended.is_none() && !lease.why().is_some_and(Stop::voids) {
        // What it has used so far is known only if it ends by itself.
        ended = time::timeout(drain::last_words(worker.config.grace), &mut step).await.ok();
    }
    drop(step);
    let stepped = ended.map(|it| it.unwrap_or_else(|_panic| panicked(task)));
    judge(lease.why(), stepped, worker.config.task_timeout)
}

/// What an attempt comes to, given why it was stopped and what its step said, if it said anything.
fn judge(why: Option<Stop>, stepped: Option<Stepped>, limit: Duration) -> Result<Stepped, Stop> {
    let spent = |stepped: Option<Stepped>| stepped.map(|it| it.spent).unwrap_or_default();
    match (why, stepped) {
        (Some(stop @ (Stop::Cancelled | Stop::LeaseLost)), _) => Err(stop),
        (None, Some(stepped)) => Ok(stepped),
        // It came to its end just before it was stopped.
        (Some(_), Some(stepped)) if matches!(stepped.outcome, Outcome::Completed { .. }) => {
            Ok(stepped)
        }
        (Some(Stop::TimedOut), stepped) => {
            let message = format!("the attempt took longer than {} s", limit.as_secs_f64());
            let outcome = failed(FailureCode::TimedOut, message, Retry::Backoff);
            Ok(Stepped { outcome, spent: spent(stepped) })
        }
        (Some(Stop::HandBack) | None, stepped) => {
            Ok(Stepped { outcome: Outcome::HandedBack, spent: spent(stepped) })
        }
    }
}

fn panicked(task: &ClaimedTask) -> Stepped {
    tracing::error!(
        task.id = %task.id,
        run.id = %task.run_id,
        attempt = task.attempt,
        "The attempt panicked, which is a bug; what it said stands before this line"
    );
    let message = "the attempt ended in an error of the program; the worker's log has more";
    Stepped {
        outcome: failed(FailureCode::Internal, message, Retry::Backoff),
        spent: Spent::default(),
    }
}

fn failed(code: FailureCode, message: impl Into<String>, retry: Retry) -> Outcome {
    Outcome::Failed { failure: Failure::new(code, message), retry }
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed { .. } => "completed",
        Outcome::Failed { .. } => "failed",
        Outcome::HandedBack => "handed_back",
    }
}

fn say_void(task: &ClaimedTask, stop: Stop, elapsed: Duration) {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (role, kind) = (task.role, task.kind);
    match stop {
        Stop::LeaseLost => tracing::warn!(
            task.id = %task.id, run.id = %task.run_id, attempt = task.attempt, elapsed_ms,
            "An attempt at a {kind} task by the {role} lost its lease; its result is dropped"
        ),
        Stop::Cancelled | Stop::TimedOut | Stop::HandBack => tracing::info!(
            task.id = %task.id, run.id = %task.run_id, attempt = task.attempt, elapsed_ms,
            "An attempt at a {kind} task by the {role} was stopped: the task is cancelled"
        ),
    }
}

#[cfg(test)]
mod tests {
    use domain::{settlement::RunProgress, task::Usage, workflow::Next};
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_an_attempt_comes_to_depends_on_why_it_was_stopped_and_on_how_far_it_came() {
        use Stop::*;
        check(None, Some("completed"), "completed, 7 tokens");
        check(None, Some("failed"), "failed model_unavailable, 7 tokens");
        check(Some(HandBack), Some("completed"), "completed, 7 tokens");
        check(Some(HandBack), Some("failed"), "handed back, 7 tokens");
        check(Some(HandBack), None, "handed back, 0 tokens");
        check(Some(TimedOut), Some("completed"), "completed, 7 tokens");
        check(Some(TimedOut), Some("failed"), "failed timed_out, 7 tokens");
        check(Some(TimedOut), None, "failed timed_out, 0 tokens");
        for stop in [Cancelled, LeaseLost] {
            for step in [Some("completed"), Some("failed"), None] {
                check(Some(stop), step, &format!("void {stop:?}"));
            }
        }
    }

    #[track_caller]
    fn check(why: Option<Stop>, step: Option<&str>, expected: &str) {
        let stepped = step.map(|step| Stepped {
            outcome: match step {
                "completed" => Outcome::Completed {
                    result: Value::Null,
                    next: Next::default(),
                    run: RunProgress::default(),
                },
                _ => failed(FailureCode::ModelUnavailable, "down", Retry::Backoff),
            },
            spent: Spent { usage: Usage { tokens_in: 7, ..Usage::default() }, turns: Vec::new() },
        });
        let actual = match judge(why, stepped, Duration::from_secs(1)) {
            Err(stop) => format!("void {stop:?}"),
            Ok(Stepped { outcome, spent }) => {
                let outcome = match outcome {
                    Outcome::Completed { .. } => "completed".to_owned(),
                    Outcome::Failed { failure, .. } => format!("failed {}", failure.code),
                    Outcome::HandedBack => "handed back".to_owned(),
                };
                format!("{outcome}, {} tokens", spent.usage.tokens_in)
            }
        };
        assert_eq!(actual, expected, "{why:?} {step:?}");
    }
}
