//! What deliveries become in the store. Which event starts what is tabled beside the rules.

use domain::{
    delivery::DeliveryStatus,
    role::Role,
    run::RunStatus,
    task::{Priority, TaskKind, TaskStatus},
    trigger::Source,
    workflow::Workflow,
};
use serde_json::json;
use testkit::{TestStore, on_both_stores};

use crate::receiver::{Receiver, labeled, opened, signed};

on_both_stores!(
    a_labelled_issue_starts_a_grow_run_whose_first_task_is_announced,
    |test: TestStore| async move {
        let receiver = Receiver::start(&test.store).await;
        let payload = labeled(7, "ai-task");
        let answer = receiver.deliver("d-1", "issues", &payload).await;
        assert_eq!((answer.status, answer.field("status")), (202, "accepted"), "{answer:?}");
        assert_eq!(answer.field("deliveryId"), "d-1");

        let run = receiver.runs().await.remove(0);
        assert_eq!(answer.field("runId"), run.id.to_string());
        assert_eq!(run.goal, "The parser loses commas\n\nSteps: parse `a,b`");
        assert_eq!((run.workflow, run.status), (Workflow::Grow, RunStatus::Queued));
        assert_eq!(run.repository.as_deref(), Some("octocat/Hello-World"));
        let source = Source::Webhook {
            delivery_id: "d-1".to_owned(),
            event: "issues".to_owned(),
            action: Some("labeled".to_owned()),
            number: Some(7),
        };
        assert_eq!((run.source, run.priority), (source, Priority::NORMAL));

        let tasks = test.store.tasks_of_run(run.id).await.unwrap();
        assert_eq!(tasks.len(), 1);
        let plan = &tasks[0];
        assert_eq!(
            (plan.role, plan.kind, plan.status),
            (Role::Architect, TaskKind::Plan, TaskStatus::Queued)
        );
        let mut subscription = receiver.queue.subscribe(&[Role::Architect], 1).await;
        let announced = subscription.receive(1).await.unwrap().remove(0);
        assert_eq!(announced.body.unwrap().task_id, plan.id);

        let stored = test.store.find_delivery("d-1".to_owned()).await.unwrap().unwrap();
        assert_eq!(stored.payload, payload.to_string().into_bytes());
        let row = stored.delivery;
        assert_eq!((row.status, row.run_id), (DeliveryStatus::Accepted, Some(run.id)));
        assert_eq!((row.event.as_str(), row.action.as_deref()), ("issues", Some("labeled")));
        assert_eq!(
            (row.repository.as_deref(), row.sender.as_deref()),
            (Some("octocat/Hello-World"), Some("octocat"))
        );
        assert_eq!(row.installation_id, Some(5));
    }
);

on_both_stores!(
    every_event_is_recorded_and_those_without_a_rule_say_why_nothing_follows,
    |test: TestStore| async move {
        let receiver = Receiver::start(&test.store).await;
        let answer = receiver.deliver("d-1", "gollum", &json!({"pages": []})).await;
        assert_eq!((answer.status, answer.field("status")), (202, "skipped"), "{answer:?}");
        assert_eq!(answer.field("reason"), "no rule starts work for the event `gollum`");
        let row = test.store.find_delivery("d-1".to_owned()).await.unwrap().unwrap().delivery;
        assert_eq!(row.status, DeliveryStatus::Skipped);
        assert_eq!(row.reason.as_deref(), Some("no rule starts work for the event `gollum`"));
        assert_eq!(receiver.runs().await, []);
    }
);

on_both_stores!(
    an_issue_opened_with_a_label_is_told_of_twice_and_starts_one_run,
    |test: TestStore| async move {
        let receiver = Receiver::start(&test.store).await;
        let (opened, labeled, other) =
            (opened(7, "ai-task"), labeled(7, "ai-task"), labeled(8, "ai-task"));
        let (first, second, another) = tokio::join!(
            receiver.deliver("d-1", "issues", &opened),
            receiver.deliver("d-2", "issues", &labeled),
            receiver.deliver("d-3", "issues", &other),
        );
        let mut statuses = [first.field("status"), second.field("status")];
        statuses.sort_unstable();
        assert_eq!(statuses, ["accepted", "skipped"], "{first:?} {second:?}");
        assert_eq!(another.field("status"), "accepted");
        assert_eq!((receiver.runs().await.len(), receiver.deliveries().await.len()), (2, 3));
        let skipped = if first.field("status") == "skipped" { &first } else { &second };
        assert!(skipped.field("reason").contains("a moment ago for the same issue"), "{skipped:?}");
    }
);

#[tokio::test(flavor = "multi_thread")]
async fn who_labels_an_issue_again_later_gets_another_run() {
    let test = TestStore::postgres().await;
    let receiver = Receiver::start(&test.store).await;
    let payload = labeled(7, "ai-task");
    assert_eq!(receiver.deliver("d-1", "issues", &payload).await.field("status"), "accepted");
    assert_eq!(receiver.deliver("d-2", "issues", &payload).await.field("status"), "skipped");
    test.sql("UPDATE runs SET created_at = created_at - interval '2 minutes'").await;
    assert_eq!(receiver.deliver("d-3", "issues", &payload).await.field("status"), "accepted");
    assert_eq!(receiver.runs().await.len(), 2);
}

on_both_stores!(a_payload_in_a_form_is_understood, |test: TestStore| async move {
    let receiver = Receiver::start(&test.store).await;
    let body = b"payload=%7B%22zen%22%3A%22Design+for+failure.%22%7D";
    let mut headers = signed("d-1", "ping", body);
    headers[1] = ("Content-Type", "application/x-www-form-urlencoded".to_owned());
    assert_eq!(receiver.post(&headers, body).await.status, 202);
    assert_eq!(receiver.deliveries().await, ["d-1 ping skipped"]);
});

on_both_stores!(text_that_databases_refuse_is_stored_all_the_same, |test: TestStore| async move {
    let receiver = Receiver::start(&test.store).await;
    let mut payload = labeled(7, "ai-task");
    payload["issue"]["title"] = json!("a\u{0}b");
    payload["issue"]["body"] = json!("\u{0}\u{fffe}\u{202e}");
    payload["sender"]["login"] = json!("octo\u{0}cat");
    payload["repository"]["full_name"] = json!("octocat/Hello\u{0}World");
    let answer = receiver.deliver("d-1", "issues", &payload).await;
    assert_eq!((answer.status, answer.field("status")), (202, "accepted"), "{answer:?}");
});

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_told_which_one_there_is() {
    let test = TestStore::sqlite().await;
    let receiver = Receiver::start(&test.store).await;
    let request = b"GET /webhooks/github HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = crate::client::send(receiver.address, request).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}
