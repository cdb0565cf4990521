//! `chain`: five tasks that wait for each other, made by one request.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, steady::ms_between};
use crate::{
    bodies,
    figures::{per_second, percentiles},
    load,
    meter::{Meter, merged},
    truth,
};

/// Runs a second where latency is measured: one is over long before the next begins.
const RATE: f64 = 10.0;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let alone = one_by_one(bench).await?;
    truth::settle(&bench.site.database).await?;
    let together = throughput(bench).await?;
    Ok(merged([alone, together]))
}

/// From just before the request to the commit of the transaction that completes the fifth task and the run.
async fn one_by_one(bench: &Bench) -> anyhow::Result<Value> {
    let site = &bench.site;
    let runs = 10 * bench.sizes.seconds;
    let last: Arc<Vec<Uuid>> = Arc::new((0..runs).map(|_| Uuid::now_v7()).collect());
    let requests = bodies::chain(&site.key, Some(last.clone()));
    let loaded = load::at_rate(site.address("api-gateway")?, RATE, runs, requests).await?;
    loaded.all(201)?;
    truth::until_done(&site.database).await?;
    let rows = site
        .database
        .query(
            "SELECT tasks.started_at, pg_xact_commit_timestamp(tasks.xmin)
               FROM unnest($1::text[]::uuid[]) WITH ORDINALITY AS wanted (id, place)
               JOIN tasks USING (id) ORDER BY place",
            &[&last.iter().map(Uuid::to_string).collect::<Vec<_>>()],
        )
        .await?;
    let since_sent = |column: usize| {
        let pairs = rows.iter().zip(&loaded.sent_at);
        percentiles(pairs.map(|(row, sent)| ms_between(*sent, row.get(column))).collect())
    };
    Ok(json!({
        "rate_per_s": RATE,
        "created_to_fifth_claimed_ms": since_sent(0),
        "created_to_completed_ms": since_sent(1),
    }))
}

/// Runs per second, created and worked off at the same time.
async fn throughput(bench: &Bench) -> anyhow::Result<Value> {
    let site = &bench.site;
    let runs = (bench.sizes.tasks / 4).max(1);
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let requests = bodies::chain(&site.key, None);
    let loaded =
        load::closed(site.address("api-gateway")?, bench.sizes.connections, runs, requests).await?;
    loaded.all(201)?;
    let done = truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let used = meter.stop(site, runs, "run").await?;
    let checked = truth::check(&site.database, since, runs * bodies::CHAIN, runs).await?;
    let figures = json!({
        "runs_per_s": per_second(runs, done - loaded.begun),
        "seconds": (done - loaded.begun).as_secs_f64(),
        "connections": bench.sizes.connections,
        "answer_ms": percentiles(loaded.answer_ms),
        "checked": checked,
    });
    Ok(merged([figures, used]))
}
