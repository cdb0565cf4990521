//! `million`: the other measures again, with a long past in the store.

use serde_json::{Map, Value, json};

use crate::figures::rounded;

/// What is compared: the figure, and whether more of it is better.
const COMPARED: &[(&str, &str, bool)] = &[
    ("single", "/tasks_per_s", true),
    ("single", "/cpu_ms_per_task/total", false),
    ("batch", "/tasks_per_s", true),
    ("batch", "/cpu_ms_per_task/total", false),
    ("steady", "/created_to_started_ms/p50", false),
    ("steady", "/created_to_started_ms/p99", false),
    ("chain", "/runs_per_s", true),
    ("chain", "/created_to_completed_ms/p50", false),
    ("chain", "/cpu_ms_per_run/total", false),
    ("webhooks", "/deliveries_per_s", true),
    ("webhooks", "/answer_ms/p99", false),
    ("webhooks", "/cpu_ms_per_delivery/total", false),
    ("inflight", "/completions_per_s", true),
    ("inflight", "/worker_rss_peak_mib", false),
];

/// How many times worse each figure is than on an empty store; 1 is the same. `yardstick` says how much slower the machine
/// itself was in the meantime.
pub(crate) fn times_worse(empty: &Map<String, Value>, full: &Map<String, Value>) -> Value {
    let mut ratios = Map::new();
    for (measure, path, more_is_better) in COMPARED {
        let of = |all: &Map<String, Value>| all.get(*measure)?.pointer(path)?.as_f64();
        if let (Some(before), Some(now)) = (of(empty), of(full)) {
            let ratio = if *more_is_better { before / now } else { now / before };
            ratios.insert(format!("{measure}{}", path.replace('/', ".")), rounded(ratio, 2));
        }
    }
    for (measure, value) in full {
        let yardstick = |all: &Value| all.get("yardstick")?.as_f64();
        if let (Some(before), Some(now)) =
            (empty.get(measure).and_then(yardstick), yardstick(value))
        {
            ratios.insert(format!("{measure}.yardstick"), rounded(before / now, 2));
        }
    }
    json!(ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_halved_and_a_time_that_doubled_are_both_twice_as_bad() {
        let of = |rate: f64, ms: f64, yardstick: f64| {
            let single = json!({ "tasks_per_s": rate, "yardstick": yardstick });
            let steady = json!({ "created_to_started_ms": { "p50": ms } });
            Map::from_iter([("single".to_owned(), single), ("steady".to_owned(), steady)])
        };
        let expected = json!({
            "single.tasks_per_s": 2.0,
            "steady.created_to_started_ms.p50": 2.0,
            "single.yardstick": 1.25,
        });
        assert_eq!(times_worse(&of(100.0, 1.5, 10.0), &of(50.0, 3.0, 8.0)), expected);
    }
}
