//! A worker that is told to stop gives back what it cannot finish.

use std::time::Duration;

use e2e::{
    model_server::{Expected, Form, ModelServer, Script, Step, Wire},
    stack::{Program, Settings, Stack},
};

use crate::scene::{self, MODEL};

const GRACE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_a_stopping_worker_is_finished_by_another_in_the_same_attempt() {
    let script =
        Script::new([(Form::Text, Step::Hang), (Form::Text, Step::Say("Thought.".to_owned()))]);
    let model = ModelServer::start(Expected::of(MODEL), script).unwrap();
    let grace = GRACE.as_millis().to_string();
    let settings = Settings::default().model(&model, Wire::Ollama, MODEL).own(
        Program::Worker,
        "ORCH_SHUTDOWN_GRACE_MS",
        &grace,
    );
    let mut stack = Stack::start(settings).await;

    let (task, _run) = stack.api.create_task("architect", "Think.").await;
    model.until("the first worker asks the model", |asked| asked.len() == 1).await;
    stack.add("other", Program::Worker, &[]).await;
    let exit = stack.terminate("worker").await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.took <= GRACE + Duration::from_millis(500), "{exit:?}");

    let task = stack.api.until_task(&task, "completed", Duration::from_secs(20)).await;
    assert_eq!(
        (&task["attempt"], &task["result"]["text"]),
        (&1.into(), &"Thought.".into()),
        "{task:#}"
    );
    assert_eq!(
        scene::history(&stack.api, task["id"].as_str().unwrap()).await,
        ["task.created", "task.started", "task.handed_back", "task.started", "task.completed"]
    );
    assert_eq!(model.told(), ["text: abandoned", "text: answered"]);
    model.assert_content();
    stack.stop().await;
}
