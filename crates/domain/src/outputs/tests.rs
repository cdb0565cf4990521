use serde_json::json;

use super::*;

fn plan(depends_on: &[&[u32]]) -> Plan {
    let subtask = |on: &&[u32]| Subtask {
        title: String::new(),
        description: String::new(),
        scope_paths: Vec::new(),
        depends_on: on.to_vec(),
        acceptance: Vec::new(),
    };
    Plan {
        summary: String::new(),
        subtasks: depends_on.iter().map(subtask).collect(),
        risks: Vec::new(),
        needs_human: false,
    }
}

#[test]
fn a_plan_keeps_only_dependencies_that_some_order_of_work_can_honour() {
    check(&[&[], &[0], &[0, 1]], &[&[], &[0], &[0, 1]], 0);
    check(&[&[1], &[]], &[&[1], &[]], 0);
    check(&[&[0]], &[&[]], 1);
    check(&[&[7], &[0, 0]], &[&[], &[0]], 1);
    check(&[&[1], &[2], &[0]], &[&[1], &[2], &[]], 1);
    check(&[], &[], 0);
}

#[track_caller]
fn check(given: &[&[u32]], kept: &[&[u32]], sentences: usize) {
    let mut given = plan(given);
    let removed = given.drop_impossible_dependencies();
    assert_eq!(given, plan(kept));
    assert_eq!(removed.len(), sentences, "{removed:?}");
}

#[test]
fn an_unknown_field_is_refused() {
    let error = serde_json::from_value::<Decision>(
        json!({"decision": "merge", "reasons": [], "force": true}),
    )
    .unwrap_err();
    assert!(error.to_string().contains("unknown field `force`"), "{error}");
}

#[test]
fn an_agent_response_is_written_as_it_is_read() {
    let text = json!({
        "status": "partial",
        "interpretation": "",
        "context": {"sources": [], "assumptions": [], "constraints": [], "references": ["RFC 9457"]},
        "strategy": {"summary": "", "steps": ["read"]},
        "deliverable": {
            "summary": "",
            "artifacts": [{"type": "text", "path": null, "description": "", "payload": {"any": [1]}}],
            "notes": [],
        },
        "continuity": {"nextSteps": ["write"], "openQuestions": [], "handoffNotes": []},
        "risks": [],
        "confidence": 0.5,
        "metadata": {"model": "m"},
    });
    let read: AgentResponse = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), text);
}
