use domain::{
    ids::{RunId, TaskId},
    task::TaskKind,
};
use serde_json::json;

use super::*;
use crate::{AnswerForm, Silent, answer};

fn assignment(form: AnswerForm, payload: Value) -> Assignment {
    Assignment {
        task_id: TaskId::new(),
        run_id: RunId::from_uuid("0199c0de-0000-7000-8000-0123456789ab".parse().unwrap()),
        attempt: 1,
        role: Role::Implementer,
        kind: TaskKind::Single,
        description: "Say hello\0.".to_owned(),
        payload,
        context: Vec::new(),
        answer: form,
    }
}

async fn run(assignment: &Assignment) -> Result<Report, ExecutionError> {
    StubExecutor::new(ResponseFormat::StructuredJson)
        .execute(assignment, &Silent, &CancellationToken::new())
        .await
}

#[tokio::test]
async fn every_answer_is_valid_in_its_form_and_says_that_it_is_a_stubs() {
    for form in AnswerForm::ALL {
        let report = run(&assignment(*form, json!({}))).await.unwrap();
        let read = answer::read(*form, ResponseFormat::StructuredJson, &report.output.to_string());
        assert_eq!(read.map(|it| it.output), Ok(report.output), "{form}");
        assert_eq!(report.notes, [NOTE]);
    }
}

#[tokio::test]
async fn a_change_set_writes_one_file_of_the_run() {
    let report = run(&assignment(AnswerForm::ChangeSet, json!({}))).await.unwrap();
    assert_eq!(
        report.output,
        json!({
            "summary": "Record the goal: Say hello.",
            "changes": [{
                "path": "orchestrator/0123456789ab.md",
                "action": "write",
                "content": "# Written by the stub executor\n\nNo model was asked. The goal was:\n\nSay hello.\n",
            }],
        })
    );
}

#[tokio::test]
async fn it_fails_as_often_and_in_the_way_that_the_payload_says() {
    let soon = Some(Duration::from_millis(5));
    check(json!({"fail": 2}), &[Some(ErrorKind::Retryable), Some(ErrorKind::Retryable), None])
        .await;
    check(json!({"fail": 1, "error": "fatal"}), &[Some(ErrorKind::Fatal), None]).await;
    check(
        json!({"fail": 1, "error": "rate_limited", "retryAfterMs": 5}),
        &[Some(ErrorKind::RateLimited { retry_after: soon }), None],
    )
    .await;
    check(json!({"sleepMs": 1}), &[None]).await;
    check(json!({"fail": "often"}), &[Some(ErrorKind::Fatal)]).await;
    check(json!({"unknown": 1}), &[Some(ErrorKind::Fatal)]).await;
    check(json!(null), &[None]).await;
}

async fn check(directive: Value, expected: &[Option<ErrorKind>]) {
    let mut seen = Vec::new();
    for attempt in (1..).take(expected.len()) {
        let assignment = Assignment {
            attempt,
            ..assignment(AnswerForm::Review, json!({"stub": directive.clone()}))
        };
        seen.push(run(&assignment).await.err().map(|it| it.kind));
    }
    assert_eq!(seen, expected, "{directive}");
}

#[tokio::test]
async fn its_sleep_ends_when_the_task_is_cancelled() {
    let assignment = assignment(AnswerForm::Review, json!({"stub": {"sleepMs": 3_600_000}}));
    let cancel = CancellationToken::new();
    let stub = StubExecutor::new(ResponseFormat::Text);
    let (result, ()) =
        tokio::join!(stub.execute(&assignment, &Silent, &cancel), async { cancel.cancel() });
    assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
}
