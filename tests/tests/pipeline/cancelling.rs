//! A cancellation reaches what runs.

use std::time::{Duration, Instant};

use e2e::{
    model_server::{Expected, Form, ModelServer, Outcome, Script, Step, Wire},
    stack::{Settings, Stack},
};
use serde_json::json;

use crate::scene::{self, MODEL};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_ends_a_request_to_the_model_within_a_second() {
    let script = Script::new([(Form::Text, Step::Hang), (Form::Text, Step::Hang)]);
    let model = ModelServer::start(Expected::of(MODEL), script).unwrap();
    let stack = Stack::start(Settings::default().model(&model, Wire::OpenAi, MODEL)).await;

    for (index, (path, reason)) in
        [("/tasks/{id}/cancel", "requested"), ("/runs/{id}/cancel", "run_cancelled")]
            .into_iter()
            .enumerate()
    {
        let (task, run) = stack.api.create_task("architect", "Think for a long time.").await;
        model.until("the model is asked", |asked| asked.len() == index + 1).await;
        let began = Instant::now();
        let id = if path.starts_with("/tasks") { &task } else { &run };
        stack.api.post(path, &[id], None).await;
        let gone = |asked: &[e2e::model_server::Asked]| asked[index].outcome != Outcome::Pending;
        let asked = model.until("the request ends", gone).await;
        let took = asked[index].ended.expect("it has ended") - began;
        assert!(took < Duration::from_secs(1), "{path} took {took:?} to reach the task");
        assert_eq!(asked[index].outcome, Outcome::Abandoned);

        let task = stack.api.until_task(&task, "cancelled", Duration::from_secs(5)).await;
        assert_eq!(task["cancelReason"], reason);
        let run = stack.api.get("/runs/{id}", &[&run]).await;
        assert_eq!(run["status"], "cancelled");
        let history = scene::history(&stack.api, task["id"].as_str().unwrap()).await;
        assert_eq!(history, ["task.created", "task.started", "task.cancelled"]);
    }
    assert_eq!(stack.api.get("/dlq/size", &[]).await, json!({ "size": 0 }));
    model.assert_content();
    stack.stop().await;
}
