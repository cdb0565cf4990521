//! Every service is told to end (SIGTERM) and started again, one after the other, under load: no attempt is burned.

use std::time::Duration;

use anyhow::Result;

use crate::{checker, load::Kind, programs::Program, stage::Stage};

/// What workers are given to end: less than the longest tasks take, so that some are handed back.
pub(super) const WORKER_GRACE: &[(&str, &str)] = &[("ORCH_SHUTDOWN_GRACE_MS", "2000")];
const WORKER_LIMIT: Duration = Duration::from_millis(2_000 + SLACK_MS);
const LIMIT: Duration = Duration::from_millis(4_000 + SLACK_MS);
/// For a busy machine.
const SLACK_MS: u64 = 500;

/// Fewer there may be: an attempt that has failed already when it is handed back is not spent either.
const BURNED: &str =
    "SELECT id AS task_id, status, attempt, metadata ->> 'fails' AS fails FROM tasks
    WHERE status = 'completed' AND attempt > 1 + (metadata ->> 'fails')::int";
const EXPIRED: &str = "SELECT task_id, at FROM events WHERE kind = 'task.lease_expired'";

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (rounds, tasks) = stage.scale.pick((2, 250), (20, 2_500), (60, 8_000));
    stage.services.start("webhook-ingest", Program::WebhookIngest, Vec::new()).await?;
    let feeding = stage.load.feed(tasks, Kind { takes: (20, 2_400), fatal_once_in: 100 });
    for round in 0..rounds {
        for program in Program::ALL {
            for name in stage.services.names(program) {
                feeding.allow(tasks * (round + 1) / rounds);
                restart(stage, &name, program).await?;
            }
        }
    }
    feeding.done().await?;
    let client = stage.database.connect().await?;
    for (check, wants, sql) in [
        ("burned", "no attempt is burned by a restart", BURNED),
        ("expired", "what was under way is handed back, and no lease runs out", EXPIRED),
    ] {
        if let Some(text) = checker::offending(&client, wants, sql).await? {
            stage.expect(false, check, text);
        }
    }
    let handed_back = "SELECT count(*) FROM events WHERE kind = 'task.handed_back'";
    let count = stage.database.number(handed_back).await?;
    stage.tally.insert("tasks handed back", u64::try_from(count).unwrap_or(0));
    stage.expect(count > 0, "staged", "nothing was under way when a worker was told to end");
    Ok(())
}

async fn restart(stage: &mut Stage<'_>, name: &str, program: Program) -> Result<()> {
    stage.steady_workers.retain(|it| it != name);
    if program == Program::Scheduler {
        stage.lateness.suspend();
    }
    let exit = stage.services.terminate(name).await?;
    stage.count("restarts");
    let limit = if program == Program::Worker { WORKER_LIMIT } else { LIMIT };
    let text = format!("{name} ended with {:?} after {:?}", exit.code, exit.took);
    stage.expect(exit.code == Some(0) && exit.took <= limit, "grace", text);
    stage.services.start_again(name).await?;
    if program == Program::Scheduler {
        stage.lateness.go_on();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}
