//! The same in Ollama's format, started by the API, with every way in which a model server fails.

use e2e::{
    api::text,
    model_server::{Form, ModelServer, Script, Step, Wire},
    stack::{Program, Settings, Stack},
};
use serde_json::json;

use crate::scene::{self, GIT_TOKEN, MODEL, MODEL_KEY};

fn script() -> Script {
    Script::new([
        (Form::Plan, Step::Refuse { status: 429, retry_after: Some(1) }),
        (Form::Plan, Step::Answer(scene::plan())),
        (Form::ChangeSet, Step::Hang),
        (Form::ChangeSet, Step::Answer(scene::greeting("Hello world\n"))),
        (Form::Review, Step::Answer(scene::objection("Punctuate."))),
        (Form::ChangeSet, Step::Cut(scene::greeting("Hello, world!\n"))),
        (Form::ChangeSet, Step::Answer(scene::greeting("Hello, world!\n"))),
        (Form::Review, Step::Answer(scene::approval())),
        (Form::Decision, Step::Refuse { status: 500, retry_after: None }),
        (Form::Decision, Step::Answer(scene::decision())),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_comes_to_its_end_however_the_model_server_fails_on_the_way() {
    let (git, clone_url) = scene::git_server();
    let model = ModelServer::start(scene::expected(), script()).unwrap();
    let settings = Settings::default()
        .git(&git, GIT_TOKEN)
        .model(&model, Wire::Ollama, MODEL)
        .own(Program::Worker, "LOCAL_LLM_API_KEY", MODEL_KEY)
        .own(Program::Worker, "LOCAL_LLM_TIMEOUT_MS", "2500");
    let stack = Stack::start(settings).await;

    let run = json!({ "repository": clone_url, "goal": "Greet the whole world." });
    let run = stack.api.post("/runs", &[], Some(&run)).await;
    let run_id = text(&run["id"]);
    stack.api.follow(&run_id, scene::RUN).await;

    let run = stack.api.get("/runs/{id}", &[&run_id]).await;
    assert_eq!(
        (&run["status"], &run["usage"]["requests"]),
        (&json!("completed"), &json!(10)),
        "{run:#}"
    );
    let (tasks, lines) = scene::tasks(&stack.api, &run_id).await;
    assert_eq!(
        lines,
        [
            "plan: completed, attempt 2",
            "implement: completed, attempt 2",
            "review: completed, attempt 1",
            "implement: completed, attempt 2",
            "review: completed, attempt 1",
            "decide: completed, attempt 2",
        ]
    );
    let mut errors = Vec::new();
    for index in [0, 1, 3, 5] {
        let history = stack.api.list("/tasks/{id}/history", &[&text(&tasks[index]["id"])]).await;
        let retrying =
            history.iter().find(|it| it["kind"] == "task.retrying").expect("it was tried again");
        errors.push(text(&retrying["data"]["error"]["code"]));
    }
    assert_eq!(errors, ["rate_limited", "model_timeout", "model_unavailable", "model_unavailable"]);

    assert!(model.asked().iter().all(|it| it.wire == Wire::Ollama));
    let asked = model.asked();
    let patience = asked[1].at - asked[0].at;
    assert!(
        patience.as_millis() >= 1_000,
        "it was asked again after {patience:?}, not when it said"
    );
    model.assert_content();
    let contents: Vec<_> =
        scene::commits(&git, &text(&run["branch"])).into_iter().map(|it| it.1).collect();
    assert_eq!(contents, ["Hello world", "Hello, world!"]);
    scene::assert_authorised(&git);
    stack.stop().await.assert_without(&[GIT_TOKEN, MODEL_KEY]);
}
