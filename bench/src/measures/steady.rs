//! `steady`: 50 tasks a second, whatever comes back: how long a task waits when there is little to do.

use std::{sync::Arc, time::SystemTime};

use serde_json::{Value, json};
use uuid::Uuid;

use super::Bench;
use crate::{
    bodies,
    figures::percentiles,
    load,
    meter::{Meter, merged},
    truth,
};

/// Tasks a second.
const RATE: usize = 50;

/// Times count from just before a task's request; the database and this program read the same clock.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let site = &bench.site;
    let tasks = RATE * bench.sizes.seconds;
    let ids: Arc<Vec<Uuid>> = Arc::new((0..tasks).map(|_| Uuid::now_v7()).collect());
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let requests = bodies::single(&site.key, Some(ids.clone()));
    #[expect(clippy::cast_precision_loss, reason = "a rate is small")]
    let loaded = load::at_rate(site.address("api-gateway")?, RATE as f64, tasks, requests).await?;
    loaded.all(201)?;
    truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let used = meter.stop(site, tasks, "task").await?;
    let checked = truth::check(&site.database, since, tasks, tasks).await?;
    let moments = moments(bench, &ids).await?;
    let since_sent = |of: fn(&Moments) -> SystemTime| {
        let pairs = moments.iter().zip(&loaded.sent_at);
        percentiles(pairs.map(|(it, sent)| ms_between(*sent, of(it))).collect())
    };
    let figures = json!({
        "tasks_per_s": RATE,
        "created_to_claimed_ms": since_sent(|it| it.claimed),
        "created_to_started_ms": since_sent(|it| it.executed),
        "created_to_completed_ms": since_sent(|it| it.completed),
        "answer_ms": percentiles(loaded.answer_ms),
        "checked": checked,
    });
    Ok(merged([figures, used]))
}

/// When things happened to one task, by the database's clock.
struct Moments {
    /// The transaction that claimed it began.
    claimed: SystemTime,
    /// The transaction that settles it began: its first line had been executed by then, and its last.
    executed: SystemTime,
    /// That transaction was committed, and is about to be flushed to the disk.
    completed: SystemTime,
}

async fn moments(bench: &Bench, ids: &[Uuid]) -> anyhow::Result<Vec<Moments>> {
    let rows = bench
        .site
        .database
        .query(
            "SELECT tasks.started_at, tasks.finished_at, pg_xact_commit_timestamp(tasks.xmin)
               FROM unnest($1::text[]::uuid[]) WITH ORDINALITY AS wanted (id, place)
               JOIN tasks USING (id) ORDER BY place",
            &[&ids.iter().map(Uuid::to_string).collect::<Vec<_>>()],
        )
        .await?;
    let moments = rows.iter().map(|row| Moments {
        claimed: row.get(0),
        executed: row.get(1),
        completed: row.get(2),
    });
    Ok(moments.collect())
}

/// Milliseconds; negative, if the clock was set back in between.
pub(crate) fn ms_between(earlier: SystemTime, later: SystemTime) -> f64 {
    match later.duration_since(earlier) {
        Ok(it) => it.as_secs_f64() * 1000.0,
        Err(error) => error.duration().as_secs_f64() * -1000.0,
    }
}
