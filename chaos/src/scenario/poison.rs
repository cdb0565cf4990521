//! Some tasks crash every worker that executes them: each becomes a dead letter after exactly as many attempts as it may
//! have, and the others get done.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::SHORT;
use crate::{checker, ledger::Order, stage::Stage};

const ATTEMPTS: i64 = 3;
const LIMIT: Duration = Duration::from_secs(90);
const OPEN: &str =
    "SELECT count(*) FROM tasks WHERE metadata ->> 'expect' = 'failed' AND max_attempts = 3
    AND status NOT IN ('completed', 'failed', 'cancelled')";
const WRONG: &str = "SELECT t.id AS task_id, t.status, t.attempt, t.error_code, l.reason, l.attempts
    FROM tasks t LEFT JOIN dead_letters l ON l.task_id = t.id
    WHERE t.max_attempts = 3 AND (t.status <> 'failed' OR t.attempt <> 3 OR t.error_code <> 'lease_expired'
        OR l.reason IS DISTINCT FROM 'attempts_spent' OR l.attempts IS DISTINCT FROM 3)";

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (poisons, tasks) = stage.scale.pick((2, 150), (6, 1_000), (20, 3_000));
    let mut random = stage.random.fork("poison");
    let feeding = stage.load.feed_over(tasks, SHORT, Duration::from_secs(6));
    for _ in 0..poisons {
        let order = Order {
            task: random.uuid(),
            fail: 0,
            takes: Duration::ZERO,
            fatal: false,
            poison: true,
        };
        stage.load.create_one(order, ATTEMPTS, "failed").await?;
        stage.count("poisonous tasks");
    }
    let began = Instant::now();
    while stage.database.number(OPEN).await? > 0 && began.elapsed() < LIMIT {
        let waiting = stage.poisoned.recv();
        let Ok(Some(worker)) = tokio::time::timeout(Duration::from_millis(300), waiting).await
        else {
            continue;
        };
        // What else the same worker had asked for dies with it.
        let mut workers = BTreeSet::from([worker]);
        while let Ok(other) = stage.poisoned.try_recv() {
            workers.insert(other);
        }
        for worker in workers {
            stage.kill_and_spawn(&worker).await?;
            stage.count("workers crashed");
        }
    }
    feeding.done().await?;
    let client = stage.database.connect().await?;
    let wants = "a poisonous task is a dead letter after exactly its attempts";
    if let Some(text) = checker::offending(&client, wants, WRONG).await? {
        stage.expect(false, "poison", text);
    }
    Ok(())
}
