//! `idle`: what an installation costs that has nothing to do.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::time;

use super::Bench;
use crate::{
    figures::{all_rounded, rounded},
    processes::{CpuTime, rss_mib},
};

/// From the start to the look at memory, and the time over which CPU is counted.
const TEN: Duration = Duration::from_secs(10);

/// Begins right after the services were started.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    time::sleep(TEN).await;
    let roots = bench.site.roots();
    let memory = all_rounded(&rss_mib(&roots), 1);
    let (begun, before) = (Instant::now(), CpuTime::now(&roots));
    time::sleep(TEN).await;
    let used = CpuTime::now(&roots).since(&before);
    let starts = bench.site.starts.iter();
    let starts = starts.map(|(name, it)| ((*name).to_owned(), rounded(it.as_secs_f64(), 3)));
    Ok(json!({
        "start_to_ready_s": starts.collect::<Map<_, _>>(),
        "rss_mib": memory,
        "cpu_ms_per_s": used.ms_per_second(begun.elapsed()),
        "cores_of_others": used.cores_of_others(begun.elapsed()),
    }))
}
