//! `single`: one `POST /tasks` for each task, created and worked off at the same time.

use serde_json::{Value, json};

use super::Bench;
use crate::{
    bodies,
    figures::{per_second, percentiles},
    load,
    meter::{Meter, merged},
    truth,
};

/// From just before the first request to the moment at which no task is left, as the database says.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let (site, tasks) = (&bench.site, bench.sizes.tasks);
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let address = site.address("api-gateway")?;
    let requests = bodies::single(&site.key, None);
    let loaded = load::closed(address, bench.sizes.connections, tasks, requests).await?;
    loaded.all(201)?;
    let done = truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let used = meter.stop(site, tasks, "task").await?;
    let checked = truth::check(&site.database, since, tasks, tasks).await?;
    let figures = json!({
        "tasks_per_s": per_second(tasks, done - loaded.begun),
        "created_per_s": per_second(tasks, loaded.elapsed()),
        "seconds": (done - loaded.begun).as_secs_f64(),
        "connections": bench.sizes.connections,
        "answer_ms": percentiles(loaded.answer_ms),
        "checked": checked,
    });
    Ok(merged([figures, used]))
}
