//! What the switches do that tests take guards out with: each scenario ends well with the guard, and badly without.

use std::time::Duration;

use e2e::{
    api::text,
    delivery::{Delivery, Issue, Repository},
    model_server::{ModelServer, Wire},
    stack::{Program, Settings, Stack, faulty_programs},
    wait::until,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    agents::{self, HANG_ONCE, MODEL},
    checker::Checker,
    keeper::Keeper,
    workload::WEBHOOK_SECRET,
};

const WITHOUT: &str = "ORCH_FAULT_WITHOUT";
const SOON: Duration = Duration::from_secs(20);

fn settings(model: &ModelServer) -> Settings {
    Settings::default()
        .programs_in(&faulty_programs())
        .model(model, Wire::OpenAi, MODEL)
        .own(Program::WebhookIngest, "GITHUB_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .own(Program::Worker, "ORCH_WORKER_LEASE_MS", "1000")
        .own(Program::Worker, "ORCH_WORKER_POLL_INTERVAL_MS", "100")
        .own(Program::Worker, "LOCAL_LLM_TIMEOUT_MS", "2500")
        .own(Program::Scheduler, "ORCH_SCHEDULER_RESCUE_MS", "100")
        .own(Program::Scheduler, "ORCH_SCHEDULER_SWEEP_MS", "100")
        .own(Program::Scheduler, "ORCH_SCHEDULER_LEFT_BEHIND_MS", "100")
        .own(Program::Scheduler, "ORCH_SCHEDULER_REMIND_MS", "100")
        .own(Program::Scheduler, "ORCH_SCHEDULER_UNCLAIMED_MS", "100")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_dedupe_a_delivery_that_comes_twice_starts_two_runs() {
    let model = agents::start();
    let mut stack = Stack::start(settings(&model)).await;
    stack.add("forgetful", Program::WebhookIngest, &[(WITHOUT, "delivery_dedupe")]).await;
    let repository = Repository {
        owner: "acme".to_owned(),
        name: "greeter".to_owned(),
        clone_url: "https://git.example/acme/greeter.git".to_owned(),
    };
    let issue = Issue { number: 1, title: "Greet".to_owned(), body: "Please.".to_owned() };
    let delivery = Delivery::issue_labeled(&repository, &issue, "ai-task");
    let forgetful = format!("{}/webhooks/github", stack.service("forgetful").url());
    for (url, status, runs) in [
        (stack.webhook_url(), "accepted", 1),
        (stack.webhook_url(), "duplicate", 1),
        (forgetful, "accepted", 2),
    ] {
        let receipt = delivery.send(&url, WEBHOOK_SECRET).await;
        assert_eq!(receipt.body["status"], status, "{receipt:?}");
        assert_eq!(stack.api.list("/runs", &[]).await.len(), runs);
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_sweep_nobody_finds_a_task_whose_message_was_never_sent() {
    let marker = tempfile::tempdir().unwrap();
    let once = marker.path().join("crashed");
    let model = agents::start();
    let settings = settings(&model)
        .own(Program::Worker, WITHOUT, "outbox_sweep")
        .own(Program::Scheduler, WITHOUT, "outbox_sweep")
        .own(Program::ApiGateway, "ORCH_FAULT_POINT", "queue.publish.before")
        .own(Program::ApiGateway, "ORCH_FAULT_ONCE", &once.display().to_string());
    let mut stack = Stack::start(settings).await;
    let task = serde_json::json!({ "role": "architect", "description": "Nobody hears of it." });
    let asked = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/tasks", stack.service(Program::ApiGateway.name()).url());
    // The answer may be lost with the process.
    drop(asked.post(url).bearer_auth(stack.key()).json(&task).send().await);
    let mut keeper = Keeper::default();
    until("the gateway crashes", SOON, || {
        keeper.look(&mut stack);
        std::future::ready(once.exists().then_some(()))
    })
    .await;
    let tables = Checker::connect(stack.database_url()).await;
    // Twenty periods of everything that looks for such a task: that nothing happens has no event.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let unsettled = tables.unsettled().await;
    assert!(unsettled.iter().any(|it| it.contains("is queued: Nobody")), "{unsettled:?}");

    stack.add("sweeping", Program::Scheduler, &[(WITHOUT, "")]).await;
    until("it is found and done", SOON, || async {
        tables.unsettled().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_fence_keeps_a_late_end_from_undoing_what_another_worker_has_done() {
    let model = agents::start();
    let mut stack = Stack::start(settings(&model)).await;
    stack.terminate("worker").await;
    let fenced = late_end(&mut stack, "lease_watch").await;
    assert_eq!(
        fenced
            .iter()
            .filter(|it| ["task.completed", "task.fenced"].contains(&it.as_str()))
            .collect::<Vec<_>>(),
        ["task.completed", "task.fenced"],
        "{fenced:?}"
    );
    let unfenced = late_end(&mut stack, "lease_watch,fence").await;
    let completions = unfenced.iter().filter(|it| *it == "task.completed").count();
    assert_eq!(completions, 2, "the late failure undid a completion: {unfenced:?}");
    assert!(!unfenced.contains(&"task.fenced".to_owned()), "{unfenced:?}");
    stack.stop().await;
}

/// The history of a task whose first worker is stopped past its lease and goes on when another has completed it. The first
/// has no answer of its model and fails, late.
async fn late_end(stack: &mut Stack, without: &str) -> Vec<String> {
    stack.add("zombie", Program::Worker, &[(WITHOUT, without)]).await;
    let (task, _run) = stack.api.create_task("architect", &format!("{HANG_ONCE} {without}")).await;
    stack.api.until_task(&task, "running", SOON).await;
    stack.signal("zombie", Signal::STOP);
    stack.add("other", Program::Worker, &[]).await;
    stack.api.until_task(&task, "completed", SOON).await;
    stack.signal("zombie", Signal::CONT);
    let ends = |history: &[String]| {
        history.iter().filter(|it| ["task.completed", "task.fenced"].contains(&it.as_str())).count()
    };
    let history = until("the late end is told, and all is settled", SOON, || async {
        let events: Vec<Value> = stack.api.list("/tasks/{id}/history", &[&task]).await;
        let history: Vec<String> = events.iter().map(|it| text(&it["kind"])).collect();
        (ends(&history) == 2).then_some(history)
    })
    .await;
    for worker in ["zombie", "other"] {
        stack.terminate(worker).await;
    }
    history
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_no_worker_survives_becomes_a_dead_letter_after_its_attempts() {
    let model = agents::start();
    let mut stack = Stack::start(settings(&model)).await;
    let task = serde_json::json!({
        "role": "architect", "description": "poison-the-worker", "maxAttempts": 2,
    });
    let task = text(&stack.api.post("/tasks", &[], Some(&task)).await["id"]);
    let mut keeper = Keeper::default();
    let mut crashes = 0;
    let failed = tokio::time::timeout(SOON, async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            keeper.look(&mut stack);
            crashes += keeper.crashes().values().sum::<usize>();
            let task = stack.api.get("/tasks/{id}", &[&task]).await;
            if task["status"] == "failed" {
                return task;
            }
        }
    });
    let failed = failed.await.unwrap();
    assert_eq!((&failed["attempt"], crashes), (&2.into(), 2), "{failed:#}");
    assert_eq!(stack.api.get("/dlq/size", &[]).await["size"], 1);
    let (other, _run) = stack.api.create_task("architect", "Something else.").await;
    stack.api.until_task(&other, "completed", SOON).await;
}
