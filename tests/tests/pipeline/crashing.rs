//! A worker that crashes loses nothing but an attempt.

use e2e::{
    api::text,
    model_server::{Form, ModelServer, Script, Step, Wire},
    stack::{Program, Settings, Stack},
};
use serde_json::json;

use crate::scene::{self, GIT_TOKEN, MODEL, MODEL_KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_worker_was_killed_is_finished_by_another() {
    let (git, clone_url) = scene::git_server();
    let script = Script::new([
        (Form::Plan, Step::Answer(scene::plan())),
        (Form::ChangeSet, Step::Hang),
        (Form::ChangeSet, Step::Answer(scene::greeting("Hello, world!\n"))),
        (Form::Review, Step::Answer(scene::approval())),
        (Form::Decision, Step::Answer(scene::decision())),
    ]);
    let model = ModelServer::start(scene::expected(), script).unwrap();
    let settings = Settings::default()
        .git(&git, GIT_TOKEN)
        .model(&model, Wire::OpenAi, MODEL)
        .own(Program::Worker, "LOCAL_LLM_API_KEY", MODEL_KEY)
        .own(Program::Worker, "ORCH_WORKER_LEASE_MS", "2000")
        .own(Program::Scheduler, "ORCH_SCHEDULER_RESCUE_MS", "200");
    let mut stack = Stack::start(settings).await;

    let run = json!({ "repository": clone_url, "goal": "Greet the whole world." });
    let run_id = text(&stack.api.post("/runs", &[], Some(&run)).await["id"]);
    model.until("the implementer is asked", |asked| asked.len() == 2).await;
    stack.kill("worker").await;
    stack.add("other", Program::Worker, &[]).await;
    stack.api.follow(&run_id, scene::RUN).await;

    let run = stack.api.get("/runs/{id}", &[&run_id]).await;
    assert_eq!(run["status"], "completed", "{run:#}");
    let (tasks, lines) = scene::tasks(&stack.api, &run_id).await;
    assert_eq!(
        lines,
        [
            "plan: completed, attempt 1",
            "implement: completed, attempt 2",
            "review: completed, attempt 1",
            "decide: completed, attempt 1",
        ]
    );
    let history = scene::history(&stack.api, &text(&tasks[1]["id"])).await;
    assert_eq!(history.iter().filter(|it| *it == "task.lease_expired").count(), 1, "{history:?}");
    let expired =
        stack.service("scheduler").metrics().await.sum("orchestrator_leases_expired_total", &[]);
    assert!((expired - 1.0).abs() < 0.5, "{expired} leases have expired");
    let expected = [("Say Hello, world!".to_owned(), "Hello, world!".to_owned())];
    assert_eq!(scene::commits(&git, &text(&run["branch"])), expected);
    model.assert_content();
    stack.stop().await;
}
