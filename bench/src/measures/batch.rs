//! `batch`: many tasks with each `POST /tasks/batch`, in one run for each request.

use std::time::Instant;

use serde_json::{Value, json};

use super::Bench;
use crate::{
    bodies,
    figures::{per_second, percentiles},
    load::{self, Loaded},
    meter::{Meter, merged},
    truth,
};

/// Requests under way at once.
const CONNECTIONS: usize = 4;

/// Created and worked off at the same time; then one after the other, which tells what each costs.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Value> {
    let requests = (bench.sizes.tasks * 2).div_ceil(bench.sizes.batch);
    let together = together(bench, requests).await?;
    truth::empty(&bench.site.database).await?;
    let apart = apart(bench, requests.div_ceil(2)).await?;
    Ok(merged([together, apart]))
}

/// From just before the first request to the moment at which no task is left, as the database says.
async fn together(bench: &Bench, requests: usize) -> anyhow::Result<Value> {
    let site = &bench.site;
    let tasks = requests * bench.sizes.batch;
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let loaded = create(bench, requests).await?;
    let done = truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let used = meter.stop(site, tasks, "task").await?;
    let checked = truth::check(&site.database, since, tasks, requests).await?;
    let figures = json!({
        "tasks_per_s": per_second(tasks, done - loaded.begun),
        "created_per_s": per_second(tasks, loaded.elapsed()),
        "seconds": (done - loaded.begun).as_secs_f64(),
        "tasks_per_request": bench.sizes.batch,
        "connections": CONNECTIONS,
        "answer_ms": percentiles(loaded.answer_ms),
        "checked": checked,
    });
    Ok(merged([figures, used]))
}

/// Created without a worker; then the worker starts and works off what is there.
async fn apart(bench: &mut Bench, requests: usize) -> anyhow::Result<Value> {
    let tasks = requests * bench.sizes.batch;
    bench.site.stop_service("worker").await?;
    let since = truth::now(&bench.site.database).await?;
    let meter = Meter::start(&bench.site).await?;
    let loaded = create(bench, requests).await?;
    truth::until_announced(&bench.site.database).await?;
    let creating = meter.stop(&bench.site, tasks, "task").await?;
    let created = json!({ "tasks_per_s": per_second(tasks, loaded.elapsed()) });
    // The start counts, for it takes its first tasks before it says that it is ready.
    let meter = Meter::start(&bench.site).await?;
    let begun = Instant::now();
    bench.site.start_service("worker", &[]).await?;
    let done = truth::until_done(&bench.site.database).await?;
    let working = meter.stop(&bench.site, tasks, "task").await?;
    truth::check(&bench.site.database, since, tasks, requests).await?;
    let worked = json!({ "tasks_per_s": per_second(tasks, done - begun) });
    Ok(json!({
        "only_created": merged([created, creating]),
        "only_worked_off": merged([worked, working]),
    }))
}

async fn create(bench: &Bench, requests: usize) -> anyhow::Result<Loaded> {
    let site = &bench.site;
    let address = site.address("api-gateway")?;
    let bodies = bodies::batch(&site.key, bench.sizes.batch);
    let loaded = load::closed(address, CONNECTIONS, requests, bodies).await?;
    loaded.all(201)?;
    Ok(loaded)
}
