//! A body of a request to the API: what it is of, a line, and the JSON.

use api_gateway::fuzzing;
use serde_json::Value;

use crate::line;

/// What is refused says which field, what is accepted is accepted however it is written, and nobody is told of a fault of
/// ours.
pub(super) fn check(input: &[u8]) {
    let (kind, json) = line(input);
    let kind = String::from_utf8_lossy(kind);
    let Some(outcome) = fuzzing::body(&kind, json) else { return };
    let value = serde_json::from_slice::<Value>(json);
    let read = match outcome {
        Ok(read) => read,
        Err(problem) => {
            let body = problem.body();
            assert!(matches!(body.status, 400 | 422), "{problem}");
            match body.code.as_str() {
                "invalid_json" => {}
                "invalid_body" | "invalid_field" => {
                    assert!(!body.errors.is_empty(), "{problem}");
                    for error in &body.errors {
                        assert!(!error.field.is_empty(), "{problem}");
                        assert!(error.pointer.as_deref().is_some_and(|it| it.starts_with('#')));
                        assert!(error.detail.chars().count() <= 301, "{problem}");
                    }
                }
                other => panic!("{other}: {problem}"),
            }
            return;
        }
    };
    let value = value.expect("what is accepted is JSON");
    for written in [value.to_string(), format!("{value:#}")] {
        let again = fuzzing::body(&kind, written.as_bytes()).expect("the same kind");
        assert_eq!(again.expect("accepted however it is written"), read);
    }
}
