//! `webhooks`: signed deliveries of 25 KB. An answer of 202 means that a row is there.

use std::time::SystemTime;

use anyhow::ensure;
use serde_json::{Value, json};

use super::Bench;
use crate::{
    deliveries::{self, Mix},
    figures::{per_second, percentiles},
    load::{self, Loaded},
    meter::{Meter, merged},
    truth,
};

/// One delivery in ten starts a run; then every one does.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let mixed = take(bench, Mix { every: 10 }).await?;
    truth::settle(&bench.site.database).await?;
    let all = take(bench, Mix { every: 1 }).await?;
    Ok(merged([mixed, json!({ "every_one_starts_a_run": all })]))
}

async fn take(bench: &Bench, mix: Mix) -> anyhow::Result<Value> {
    let (site, count) = (&bench.site, bench.sizes.tasks);
    // Signed before, so that the client has the time only to send them.
    let requests = deliveries::prepared(count, mix);
    let address = site.address("webhook-ingest")?;
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let loaded = load::closed(address, bench.sizes.connections, count, requests).await?;
    loaded.all(202)?;
    truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let used = meter.stop(site, count, "delivery").await?;
    let stored = check(bench, since, &loaded, mix).await?;
    let figures = json!({
        "deliveries_per_s": per_second(count, loaded.elapsed()),
        "seconds": loaded.elapsed().as_secs_f64(),
        "connections": bench.sizes.connections,
        "bytes": deliveries::BYTES,
        "one_starts_a_run_in": mix.every,
        "answer_ms": percentiles(loaded.answer_ms),
        "checked": stored,
    });
    Ok(merged([figures, used]))
}

/// Fails unless there is a row for each answer, and a completed run for each that starts one.
async fn check(
    bench: &Bench,
    since: SystemTime,
    loaded: &Loaded,
    mix: Mix,
) -> anyhow::Result<Value> {
    let database = &bench.site.database;
    let sent: usize = loaded.statuses.values().sum();
    let row = database
        .query_one(
            "SELECT count(*), count(run_id), avg(octet_length(payload))::float8
               FROM deliveries WHERE received_at >= $1",
            &[&since],
        )
        .await?;
    let (rows, runs): (i64, i64) = (row.get(0), row.get(1));
    let expected = (i64::try_from(sent)?, i64::try_from(sent.div_ceil(mix.every))?);
    ensure!((rows, runs) == expected, "{rows} rows with {runs} runs; {expected:?} should be");
    let done =
        truth::check(database, since, sent.div_ceil(mix.every), sent.div_ceil(mix.every)).await?;
    Ok(
        json!({ "rows": rows, "bytes_stored": row.get::<_, Option<f64>>(2).map(f64::round), "of_runs": done }),
    )
}
