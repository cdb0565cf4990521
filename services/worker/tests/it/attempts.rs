//! How attempts end.

use std::{sync::Arc, time::Duration};

use agent_executor::{ErrorKind, StubExecutor, settings::ResponseFormat};
use chrono::{TimeDelta, Utc};
use domain::{
    history::EventKind,
    retry::RetryPolicy,
    role::Role,
    settlement::DeadLetterReason,
    task::{FailureCode, NewTask, TaskKind, TaskStatus},
};
use serde_json::{Value, json};
use store::PageRequest;
use testkit::{TestStore, on_both_stores};
use worker::WorkerConfig;

use crate::{
    script::{Script, answer, done, failure},
    stage::{Stage, config, run_of, single},
};

fn stub() -> Arc<StubExecutor> {
    Arc::new(StubExecutor::new(ResponseFormat::Text))
}

fn directed(directive: Value) -> NewTask {
    let mut task = single(Role::Reviewer);
    task.payload = json!({ "stub": directive });
    task
}

on_both_stores!(a_failed_attempt_is_repeated_until_it_succeeds, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let worker = stage.start(config(), stub());
    let id = stage.create_task(directed(json!({ "fail": 2, "error": "retryable" }))).await;
    let task = stage.until(id, TaskStatus::Completed).await;
    assert_eq!(task.attempt, 3);
    assert!(task.result.unwrap()["text"].as_str().unwrap().starts_with("Stub answer to"));
    let retries =
        stage.history(id).await.iter().filter(|it| **it == EventKind::TaskRetrying).count();
    assert_eq!(retries, 2);
    worker.stop().await;
});

on_both_stores!(the_last_failed_attempt_makes_a_dead_letter, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let retry = RetryPolicy::new(1, Duration::from_millis(1));
    let worker = stage.start(WorkerConfig { retry, ..config() }, stub());
    let spent = stage.create_task(directed(json!({ "fail": 9, "error": "retryable" }))).await;
    let fatal = stage.create_task(directed(json!({ "fail": 9, "error": "fatal" }))).await;
    let unreadable = stage.create_task(directed(json!({ "fali": 9 }))).await;
    let testing = NewTask::new(Role::Tester, TaskKind::Test, "Run the tests.");
    let testing = stage.create_task(testing).await;
    let mut attempts = Vec::new();
    for id in [spent, fatal, unreadable, testing] {
        let task = stage.until(id, TaskStatus::Failed).await;
        attempts.push((task.attempt, task.error.unwrap().code));
    }
    let invalid = FailureCode::InvalidInput;
    assert_eq!(
        attempts,
        [(2, FailureCode::ModelUnavailable), (1, invalid), (1, invalid), (1, invalid)]
    );
    let page = PageRequest { after: None, limit: 10 };
    let letters = stage.db.store.list_dead_letters(None, page).await.unwrap().items;
    let reason = |id| letters.iter().find(|it| it.task_id == id).map(|it| it.reason);
    assert_eq!(reason(spent), Some(DeadLetterReason::AttemptsSpent));
    assert_eq!(reason(fatal), Some(DeadLetterReason::Fatal));
    assert_eq!(letters.len(), 4);
    worker.stop().await;
});

on_both_stores!(a_server_that_asks_for_patience_gets_it, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let worker = stage.start(config(), stub());
    let directive = json!({ "fail": 1, "error": "rate_limited", "retryAfterMs": 60_000 });
    let id = stage.create_task(directed(directive)).await;
    let task = stage.until(id, TaskStatus::Retrying).await;
    let wait = task.run_at.unwrap() - Utc::now();
    assert!(wait > TimeDelta::seconds(30) && wait <= TimeDelta::seconds(61), "{wait}");
    assert_eq!(task.error.unwrap().code, FailureCode::RateLimited);
    worker.stop().await;
});

on_both_stores!(a_panic_is_a_failed_attempt, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let agent = Script::new(|assignment| async move {
        assert!(assignment.attempt > 1, "the first attempt panics");
        done()
    });
    let worker = stage.start(WorkerConfig { concurrency: 1, ..config() }, agent);
    let id = stage.create_task(single(Role::Reviewer)).await;
    let task = stage.until(id, TaskStatus::Completed).await;
    assert_eq!(task.attempt, 2);
    let failed = stage.db.store.task_history(id).await.unwrap();
    let failed = failed.iter().find(|event| event.kind == EventKind::TaskRetrying).unwrap();
    assert_eq!(failed.data["error"]["code"], "internal");
    worker.stop().await;
});

on_both_stores!(
    an_attempt_that_takes_too_long_is_stopped_and_repeated,
    |db: TestStore| async move {
        let stage = Stage::on(db).await;
        let agent = Script::new(|assignment| async move {
            if assignment.attempt == 1 { std::future::pending().await } else { done() }
        });
        // Often enough looked at by a lease that is short.
        let lease = Duration::from_secs(3);
        let worker = stage.start(
            WorkerConfig { lease, task_timeout: Duration::from_millis(20), ..config() },
            agent,
        );
        let id = stage.create_task(single(Role::Reviewer)).await;
        stage.until(id, TaskStatus::Completed).await;
        let events = stage.db.store.task_history(id).await.unwrap();
        let failed = events.iter().find(|event| event.kind == EventKind::TaskRetrying).unwrap();
        assert_eq!(failed.data["error"]["code"], "timed_out");
        worker.stop().await;
    }
);

on_both_stores!(what_an_attempt_used_counts_for_its_run, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let agent = Script::new(|assignment| async move {
        match assignment.attempt {
            1 => failure(ErrorKind::RateLimited { retry_after: Some(Duration::from_millis(1)) }),
            _ => answer(json!({ "text": "yes" })),
        }
    });
    let worker = stage.start(config(), agent);
    let run = run_of(vec![single(Role::Architect)]);
    let (run_id, id) = (run.id, run.tasks[0].id);
    stage.create(run).await;
    let task = stage.until(id, TaskStatus::Completed).await;
    assert_eq!((task.attempt, task.usage.tokens_in, task.usage.tokens_out), (2, 10, 5));
    assert_eq!(stage.run(run_id).await.usage, task.usage);
    worker.stop().await;
});
