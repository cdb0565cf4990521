//! What the services tell of it beside the run: metrics and deliveries.

use e2e::{
    delivery::{Delivery, Receipt},
    model_server::ModelServer,
    stack::Stack,
};
use serde_json::{Value, json};

use crate::scene::{self, WEBHOOK_SECRET};

/// Counters agree with what the model server has counted.
pub(super) async fn check_metrics(stack: &Stack, model: &ModelServer) {
    let (tokens_in, tokens_out) = model.tokens();
    let worker = stack.service("worker").metrics().await;
    let ingest = stack.service("webhook-ingest").metrics().await;
    let completed = |role| ("orchestrator_tasks_completed_total", vec![("role", role)]);
    for ((name, labels), expected) in [
        (completed("architect"), 1),
        (completed("implementer"), 2),
        (completed("reviewer"), 2),
        (completed("tester"), 0),
        (completed("maintainer"), 1),
        (("orchestrator_tasks_retried_total", vec![("role", "implementer")]), 1),
        (("orchestrator_tasks_failed_total", vec![("error", "model_timeout")]), 1),
        (("orchestrator_tasks_dead_lettered_total", vec![]), 0),
        (("orchestrator_llm_requests_total", vec![("result", "ok")]), 7),
        (("orchestrator_llm_tokens_total", vec![("direction", "in")]), tokens_in),
        (("orchestrator_llm_tokens_total", vec![("direction", "out")]), tokens_out),
    ] {
        check_metric(worker.sum(name, &labels), expected, name, &labels);
    }
    let accepted = [("event", "issues"), ("result", "accepted")];
    let name = "orchestrator_deliveries_total";
    check_metric(ingest.sum(name, &accepted), 1, name, &accepted);
}

#[track_caller]
fn check_metric(value: f64, expected: u64, name: &str, labels: &[(&str, &str)]) {
    #[expect(clippy::cast_precision_loss, reason = "a test counts to less than 2^53")]
    let expected = expected as f64;
    assert!((value - expected).abs() < 0.5, "{name} {labels:?} is {value}, not {expected}");
}

/// The delivery is listed once, however often it comes, and those that are not GitHub's leave nothing.
pub(super) async fn check_deliveries(
    stack: &Stack,
    delivery: &Delivery,
    stranger: &Delivery,
    run_id: &str,
) {
    let url = stack.webhook_url();
    let again = delivery.send(&url, WEBHOOK_SECRET).await;
    let duplicate = json!({ "deliveryId": delivery.id, "status": "duplicate" });
    assert_eq!(again, Receipt { status: 202, body: duplicate });
    assert_eq!(stranger.send_unsigned(&url).await.status, 401);
    assert_eq!(stranger.send(&url, "another secret").await.status, 401);

    let deliveries = stack.api.list("/deliveries", &[]).await;
    let expected = json!({
        "id": delivery.id,
        "event": "issues",
        "action": "labeled",
        "repository": scene::REPOSITORY,
        "sender": "octocat",
        "installationId": null,
        "status": "accepted",
        "reason": null,
        "runId": run_id,
        "size": delivery.body().len(),
        "redeliveries": 0,
        "receivedAt": deliveries[0]["receivedAt"],
    });
    assert_eq!(deliveries, [expected]);
    let stored = stack.api.get("/deliveries/{id}", &[&delivery.id]).await;
    let sent: Value = serde_json::from_slice(delivery.body()).expect("a payload is JSON");
    assert_eq!(stored["payload"], sent);
    assert_eq!(stack.api.list("/runs", &[]).await.len(), 1);

    let refused = stack.service("webhook-ingest").metrics().await;
    for (result, expected) in [("duplicate", 1), ("unsigned", 1), ("bad_signature", 1)] {
        let labels = [("event", "issues"), ("result", result)];
        let name = "orchestrator_deliveries_total";
        check_metric(refused.sum(name, &labels), expected, name, &labels);
    }
}
