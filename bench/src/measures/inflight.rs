//! `inflight`: thousands of tasks on one worker, each waiting for a model.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time;

use super::Bench;
use crate::{
    bodies,
    figures::{per_second, percentiles, rounded},
    load,
    meter::{Meter, merged},
    model_server::ModelServer,
    processes::peak_rss,
    truth,
};

/// What the model takes for each answer.
const DELAY: Duration = Duration::from_secs(2);

/// From just before the first request to the moment at which no task is left. The worker is started anew for it, and after it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Value> {
    let model = ModelServer::start(DELAY)?;
    let (url, in_flight) = (format!("http://{}", model.address), bench.sizes.in_flight.to_string());
    let own = [
        ("ORCH_AGENT_EXECUTOR", "local"),
        ("LOCAL_LLM_API", "openai"),
        ("LOCAL_LLM_URL", url.as_str()),
        ("LOCAL_LLM_MODEL", "bench"),
        ("ORCH_WORKER_CONCURRENCY", in_flight.as_str()),
    ];
    bench.site.start_service("worker", &own).await?;
    let measured = with_model(bench, &model).await;
    bench.site.start_service("worker", &[]).await?;
    measured
}

async fn with_model(bench: &Bench, model: &ModelServer) -> anyhow::Result<Value> {
    let (site, tasks) = (&bench.site, bench.sizes.in_flight * 4);
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let requests = bodies::single(&site.key, None);
    let address = site.address("api-gateway")?;
    let loading = load::closed(address, bench.sizes.connections, tasks, requests);
    let looking = most_per_second(model, tasks);
    let (loaded, best) = tokio::join!(loading, looking);
    let loaded = loaded?;
    loaded.all(201)?;
    let done = truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let peak = peak_rss(site.service("worker")?.pid());
    let used = meter.stop(site, tasks, "task").await?;
    let checked = truth::check(&site.database, since, tasks, tasks).await?;
    let figures = json!({
        "completions_per_s": per_second(tasks, done - loaded.begun),
        "best_second_per_s": best,
        "created_per_s": per_second(tasks, loaded.elapsed()),
        "seconds": (done - loaded.begun).as_secs_f64(),
        "worker_rss_peak_mib": rounded(peak, 1),
        "in_flight_allowed": bench.sizes.in_flight,
        "in_flight_most": model.most(),
        "model_answers": model.answered(),
        "checked": checked,
    });
    Ok(merged([figures, waits(bench, since).await?, used]))
}

/// The most answers of the model in one second, until it has given them all.
async fn most_per_second(model: &ModelServer, tasks: usize) -> usize {
    let (mut most, mut before) = (0, 0);
    while before < tasks {
        time::sleep(Duration::from_secs(1)).await;
        let now = model.answered();
        most = most.max(now - before);
        if now == before && before > 0 {
            break;
        }
        before = now;
    }
    most
}

/// How long tasks waited for a slot, and whether later ones were taken before earlier ones.
async fn waits(bench: &Bench, since: SystemTime) -> anyhow::Result<Value> {
    let rows = bench
        .site
        .database
        .query(
            "SELECT extract(epoch FROM started_at - created_at)::float8 * 1000,
                    coalesce(extract(epoch FROM started_at - min(started_at) OVER (
                        ORDER BY created_at, id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING))::float8 * 1000, 0),
                    extract(epoch FROM finished_at - started_at)::float8 * 1000,
                    extract(epoch FROM finished_at)::float8
               FROM tasks WHERE created_at >= $1",
            &[&since],
        )
        .await?;
    let of = |column: usize| percentiles(rows.iter().map(|row| row.get(column)).collect());
    // Without the first and the last quarter, in which slots fill and empty.
    let mut ends: Vec<f64> = rows.iter().map(|row| row.get(3)).collect();
    ends.sort_by(f64::total_cmp);
    let (first, last) = (ends.len() / 4, ends.len() * 3 / 4);
    let middle = ends.get(last).zip(ends.get(first)).map_or(0.0, |(last, first)| last - first);
    Ok(json!({
        "middle_half_per_s": per_second(last - first, Duration::try_from_secs_f64(middle).unwrap_or_default()),
        "created_to_claimed_ms": of(0),
        "later_task_claimed_earlier_by_ms": of(1),
        "claimed_to_settled_ms": of(2),
    }))
}
