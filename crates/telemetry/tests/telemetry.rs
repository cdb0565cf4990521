//! Telemetry as a service uses it.

use telemetry::{TelemetryArgs, metrics as names};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn installed_twice_it_is_one_recorder_with_buckets_and_descriptions() {
    let first = telemetry::init(&TelemetryArgs::default(), "worker").unwrap();
    let second = telemetry::init(&TelemetryArgs::default(), "scheduler").unwrap();
    metrics::counter!(names::TASKS_CREATED, "role" => "architect").increment(2);
    metrics::histogram!(names::QUEUE_WAIT, "role" => "tester").record(0.004);
    metrics::histogram!("orchestrator_llm_tokens").record(700.0);

    let shutdown = CancellationToken::new();
    let upkeep = tokio::spawn(first.clone().run_upkeep(shutdown.clone()));
    let text = second.render();
    for expected in [
        "# HELP orchestrator_tasks_created_total Tasks created.",
        "# TYPE orchestrator_tasks_created_total counter",
        "orchestrator_tasks_created_total{role=\"architect\"} 2",
        "orchestrator_task_queue_wait_seconds_bucket{role=\"tester\",le=\"0.003\"} 0",
        "orchestrator_task_queue_wait_seconds_bucket{role=\"tester\",le=\"0.005\"} 1",
        "orchestrator_llm_tokens_bucket{le=\"500\"} 0",
        "orchestrator_llm_tokens_bucket{le=\"1000\"} 1",
        "orchestrator_build_info{service=\"worker\",version=\"0.0.0\"} 1",
        "orchestrator_build_info{service=\"scheduler\",version=\"0.0.0\"} 1",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
    shutdown.cancel();
    upkeep.await.unwrap();
}
