use std::{sync::Mutex, time::Duration};

use domain::{
    ids::{RunId, TaskId},
    task::{TaskKind, Usage},
    transcript::Turn,
};
use llm::{Error, Phase, ScriptedModel, Step};

use super::*;

fn settings() -> ModelSettings {
    ModelSettings {
        name: "small".to_owned(),
        temperature: 0.2,
        max_tokens: 800,
        context_tokens: 4_096,
        error_mode: ErrorMode::Fail,
        response_format: ResponseFormat::Text,
    }
}

fn assignment(answer: AnswerForm) -> Assignment {
    Assignment {
        task_id: TaskId::new(),
        run_id: RunId::new(),
        attempt: 1,
        role: Role::Maintainer,
        kind: TaskKind::Decide,
        description: "Decide.".to_owned(),
        payload: Value::Null,
        context: Vec::new(),
        answer,
    }
}

/// Hears everything.
#[derive(Default)]
struct Ear {
    tokens: Mutex<String>,
    turns: Mutex<Vec<Turn>>,
}

impl Progress for Ear {
    fn token(&self, text: &str) {
        self.tokens.lock().unwrap().push_str(text);
    }

    fn turn(&self, turn: &Turn) {
        self.turns.lock().unwrap().push(turn.clone());
    }
}

struct Played {
    result: Result<Report, ExecutionError>,
    model: Arc<ScriptedModel>,
    ear: Ear,
}

async fn play(
    settings: ModelSettings,
    form: AnswerForm,
    script: impl IntoIterator<Item = Step>,
) -> Played {
    let model = Arc::new(ScriptedModel::new(script));
    let executor = LlmExecutor::new(model.clone(), settings);
    let ear = Ear::default();
    let result = executor.execute(&assignment(form), &ear, &CancellationToken::new()).await;
    Played { result, model, ear }
}

/// The transcript as lines of kind, speaker and the start of what was said.
fn told(turns: &[Turn]) -> Vec<String> {
    turns
        .iter()
        .map(|it| {
            format!("{} {} {}: {:.24}", it.seq, it.kind, it.role, it.content.replace('\n', " "))
        })
        .collect()
}

const GOOD: &str = r#"{"decision": "merge", "reasons": ["green"]}"#;

#[tokio::test]
async fn a_valid_answer_is_reported_with_its_transcript_and_usage() {
    let step =
        Step::say(GOOD).expect("You are the maintainer").expect("Decide.").expect_schema(true);
    let played = play(settings(), AnswerForm::Decision, [step]).await;
    let report = played.result.unwrap();
    assert_eq!(report.output, json!({"decision": "merge", "reasons": ["green"]}));
    assert_eq!(report.notes, [""; 0]);
    assert_eq!(
        told(&report.turns),
        [
            "0 prompt system: You are the maintainer o",
            "1 prompt user: ⟦data 1: goal, the task⟧",
            "2 answer assistant: {\"decision\": \"merge\", \"r",
        ]
    );
    assert_eq!(report.turns, *played.ear.turns.lock().unwrap());
    assert_eq!(*played.ear.tokens.lock().unwrap(), GOOD);
    let answer = &report.turns[2];
    assert_eq!((answer.tokens_out, answer.model.as_deref()), (Some(4), Some("small")));
    let Usage { requests, tokens_in, tokens_out, .. } = report.usage;
    assert_eq!((requests, Some(tokens_in), tokens_out), (1, answer.tokens_in, 4));
}

#[tokio::test]
async fn what_is_wrong_is_fed_back_until_the_answer_is_valid() {
    let script = [
        Step::say(r#"{"decision": "ship"}"#),
        Step::cut(r#"{"decision": "mer"#)
            .expect(r#"{"decision": "ship"}"#)
            .expect("\"reasons\" is a required property"),
        Step::say(format!("Here:\n```json\n{GOOD}\n```")).expect("too long"),
    ];
    let played = play(settings(), AnswerForm::Decision, script).await;
    let report = played.result.unwrap();
    assert_eq!(report.output, json!({"decision": "merge", "reasons": ["green"]}));
    assert_eq!(report.notes, ["the answer is valid after 2 repairs"]);
    let kinds: Vec<_> = report.turns.iter().map(|it| it.kind.name()).collect();
    assert_eq!(kinds, ["prompt", "prompt", "answer", "repair", "answer", "repair", "answer"]);
    assert_eq!(report.usage.requests, 3);
    // Each repair leaves less room, and the conversation does not grow.
    let requests = played.model.requests();
    let room = |it: &Request| {
        let schema = it.schema.clone().unwrap().value.clone();
        schema["properties"]["reasons"]["items"]["maxLength"].as_u64().unwrap()
            * schema["properties"]["reasons"]["maxItems"].as_u64().unwrap()
    };
    assert!(requests.windows(2).all(|it| room(&it[0]) > room(&it[1])));
    assert_eq!(requests.iter().map(|it| it.messages.len()).collect::<Vec<_>>(), [2, 4, 4]);
}

#[tokio::test]
async fn an_answer_that_stays_invalid_fails_and_says_why() {
    for (error_mode, kind) in
        [(ErrorMode::Fail, ErrorKind::Fatal), (ErrorMode::Throw, ErrorKind::Retryable)]
    {
        let script = [Step::say("no"), Step::say("no"), Step::say("{}")];
        let settings = ModelSettings { error_mode, ..settings() };
        let error = play(settings, AnswerForm::Decision, script).await.result.unwrap_err();
        assert_eq!(error.kind, kind);
        let message = "the model's answer is not valid after 2 repairs: at the object: \"decision\" is a \
                       required property; at the object: \"reasons\" is a required property";
        let failure = Failure { code: FailureCode::InvalidOutput, message: message.to_owned() };
        assert_eq!(error.failure, failure);
        assert_eq!((error.usage.requests, error.turns.len()), (3, 7));
    }
}

#[tokio::test]
async fn each_error_of_the_server_has_its_kind_and_code() {
    use FailureCode::*;
    let second = Duration::from_secs(1);
    let soon = ErrorKind::RateLimited { retry_after: Some(second) };
    let passing = [ErrorKind::Fatal, ErrorKind::Retryable];
    let fatal = [ErrorKind::Fatal; 2];
    let text = String::new;
    check(|| Error::Unreachable { server: text(), cause: text() }, passing, ModelUnavailable).await;
    check(|| Error::Timeout { phase: Phase::Total, after: second }, passing, ModelTimeout).await;
    check(|| Error::RateLimited { status: 429, retry_after: Some(second) }, [soon; 2], RateLimited)
        .await;
    check(|| Error::Status { status: 500, message: text() }, passing, ModelUnavailable).await;
    check(|| Error::Interrupted { cause: text() }, passing, ModelUnavailable).await;
    check(|| Error::Malformed { cause: text() }, passing, ModelUnavailable).await;
    check(|| Error::Rejected { status: 404, message: text() }, fatal, Misconfigured).await;
    check(|| Error::Redirected { status: 302 }, fatal, Misconfigured).await;
    check(|| Error::TooLarge { limit: 1 }, fatal, InvalidOutput).await;
}

async fn check(error: impl Fn() -> Error, kinds: [ErrorKind; 2], code: FailureCode) {
    for (error_mode, kind) in [ErrorMode::Fail, ErrorMode::Throw].into_iter().zip(kinds) {
        let settings = ModelSettings { error_mode, ..settings() };
        let played = play(settings, AnswerForm::Decision, [Step::fail(error())]).await;
        let failed = played.result.unwrap_err();
        assert_eq!((failed.kind, failed.failure.code), (kind, code), "{error_mode:?} {}", error());
        assert_eq!(failed.failure.message, error().to_string());
        assert_eq!(failed.turns.last().unwrap().kind, TurnKind::Error);
        assert_eq!(failed.usage.requests, 1);
    }
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_shortened_and_says_so() {
    let too_long = || Error::ContextExceeded { status: 400, message: String::new() };
    let script = [Step::fail(too_long()), Step::fail(too_long()), Step::say(GOOD)];
    let model = Arc::new(ScriptedModel::new(script));
    let executor = LlmExecutor::new(model.clone(), settings());
    let long = Assignment { description: "word ".repeat(400), ..assignment(AnswerForm::Decision) };
    let cancel = CancellationToken::new();
    let report = executor.execute(&long, &crate::Silent, &cancel).await.unwrap();
    let sizes: Vec<_> = model.requests().iter().map(|it| it.messages[1].content.len()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[2] < sizes[0], "{sizes:?}");
    assert!(
        report.notes[0].starts_with("context: goal the task was cut from 2000"),
        "{:?}",
        report.notes
    );

    let script = [Step::fail(too_long()), Step::fail(too_long()), Step::fail(too_long())];
    let error = play(settings(), AnswerForm::Decision, script).await.result.unwrap_err();
    assert_eq!((error.kind, error.failure.code), (ErrorKind::Fatal, FailureCode::Misconfigured));
}

#[tokio::test]
async fn a_free_answer_is_text_or_a_response_as_the_setting_says() {
    let played =
        play(settings(), AnswerForm::Free, [Step::say("Hello.").expect_schema(false)]).await;
    assert_eq!(played.result.unwrap().output, json!({"text": "Hello."}));
    let cut = play(settings(), AnswerForm::Free, [Step::cut("Hell")]).await.result.unwrap();
    assert_eq!(cut.output, json!({"text": "Hell", "truncated": true}));
    assert_eq!(cut.notes, ["the answer was cut off after 800 tokens"]);

    let structured =
        ModelSettings { response_format: ResponseFormat::StructuredJson, ..settings() };
    let response = json!({
        "status": "completed",
        "interpretation": "",
        "context": {"sources": [], "assumptions": [], "constraints": [], "references": []},
        "strategy": {"summary": "", "steps": []},
        "deliverable": {"summary": "", "artifacts": [], "notes": []},
        "continuity": {"nextSteps": [], "openQuestions": [], "handoffNotes": []},
        "risks": [],
        "confidence": 0.5,
    });
    let step = Step::say(response.to_string()).expect_schema(true);
    let report = play(structured, AnswerForm::Free, [step]).await.result.unwrap();
    let metadata = json!({"executor": "llm", "model": "small", "role": "maintainer"});
    assert_eq!(report.output["metadata"], metadata);
    assert_eq!(report.output["status"], "completed");
}

#[tokio::test]
async fn a_cancelled_conversation_ends_and_keeps_what_was_said() {
    let model = Arc::new(ScriptedModel::new([Step::silence()]));
    let executor = LlmExecutor::new(model.clone(), settings());
    let cancel = CancellationToken::new();
    let assignment = assignment(AnswerForm::Decision);
    let (result, ()) =
        tokio::join!(executor.execute(&assignment, &crate::Silent, &cancel), async {
            // The model is asked before this runs: join polls in order.
            assert_eq!(model.requests().len(), 1);
            cancel.cancel();
        });
    let error = result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!((error.usage.requests, error.turns.len()), (1, 2));
}
