//! What came of a run, for people.

use serde_json::Value;

use super::RunAtEnd;
use crate::{
    output::{Output, Tone},
    view::{fields, plain, result, some_text, text, time},
};

/// The outcome, where the work is, what it cost, and what failed.
pub(super) fn of(end: &RunAtEnd, output: &Output) -> String {
    let RunAtEnd { run, tasks } = end;
    let status = text(run, "/status");
    let tone = match status.as_str() {
        "completed" => Tone::Good,
        "cancelled" => Tone::Doubtful,
        _ => Tone::Bad,
    };
    let mut parts = answers(tasks);
    let title = format!("Run {} {}{}", text(run, "/id"), output.toned(tone, &status), took(run));
    parts.push(format!("{title}\n{}", details(run, tasks)));
    parts.extend(failures(tasks));
    if status == "failed" {
        parts.push(advice(&text(run, "/id"), tasks));
    }
    parts.join("\n\n")
}

fn took(run: &Value) -> String {
    match (time(run, "/createdAt"), time(run, "/finishedAt")) {
        (Some(from), Some(to)) => {
            let millis = (to - from).num_milliseconds().max(0);
            if millis < 1_000 {
                return format!(" in {millis} ms");
            }
            format!(" in {}.{} s", millis / 1_000, millis % 1_000 / 100)
        }
        _ => String::new(),
    }
}

fn details(run: &Value, tasks: &[Value]) -> String {
    let reasons: Vec<String> = run
        .pointer("/outcome/reasons")
        .and_then(Value::as_array)
        .map(|reasons| reasons.iter().filter_map(Value::as_str).map(plain).collect())
        .unwrap_or_default();
    let usage = |name: &str| {
        run.pointer(&format!("/usage/{name}")).and_then(Value::as_i64).unwrap_or_default()
    };
    let tokens = format!(
        "{} in, {} out, {} model requests",
        usage("tokensIn"),
        usage("tokensOut"),
        usage("requests")
    );
    fields(&[
        ("decision", text(run, "/outcome/decision")),
        (
            "because",
            if reasons.is_empty() { text(run, "/outcome/message") } else { reasons.join("\n") },
        ),
        ("branch", text(run, "/branch")),
        ("commit", text(run, "/headCommit")),
        ("tokens", tokens),
        ("note", notes(tasks)),
    ])
}

/// What executors say of their answers, each once: above all that an answer is made up.
fn notes(tasks: &[Value]) -> String {
    let mut notes: Vec<String> = Vec::new();
    let given = tasks.iter().filter_map(|it| it.pointer("/result/notes")?.as_array()).flatten();
    for note in given.filter_map(Value::as_str).map(plain) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes.join("\n")
}

/// The answers of single tasks, which are what they were for.
fn answers(tasks: &[Value]) -> Vec<String> {
    let singles = tasks.iter().filter(|it| it["kind"] == "single" && it["status"] == "completed");
    singles.map(|it| result(&it["result"])).filter(|it| !it.is_empty()).collect()
}

fn failures(tasks: &[Value]) -> Vec<String> {
    let failed = tasks.iter().filter(|it| it["status"] == "failed");
    failed
        .map(|task| {
            let why = some_text(task, "/error/message").unwrap_or_default();
            format!(
                "Task {} ({}) failed with {}: {why}",
                text(task, "/id"),
                text(task, "/role"),
                text(task, "/error/code")
            )
        })
        .collect()
}

fn advice(run: &str, tasks: &[Value]) -> String {
    match tasks.iter().find(|it| it["status"] == "failed") {
        Some(task) => format!(
            "See what was said with `orch tasks transcript {}`; try it again with `orch runs retry {run}`.",
            text(task, "/id")
        ),
        None => format!("See all of it with `orch runs show {run}`."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(run: Value, tasks: Value, expected: &str) {
        let end = RunAtEnd { run, tasks: tasks.as_array().cloned().unwrap_or_default() };
        assert_eq!(of(&end, &Output::new(false)), expected);
    }

    #[test]
    fn a_single_task_ends_with_its_answer() {
        check(
            json!({
                "id": "r", "status": "completed", "createdAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01.25Z",
                "usage": { "requests": 1, "tokensIn": 20, "tokensOut": 17 }, "outcome": null,
            }),
            json!([{
                "id": "t", "kind": "single", "status": "completed",
                "result": { "text": "Old pond", "notes": ["made up"] },
            }]),
            "Old pond\n\nRun r completed in 1.2 s\n  tokens  20 in, 17 out, 1 model requests\n  note    made up",
        );
    }

    #[test]
    fn a_grown_branch_is_told_with_its_commit() {
        check(
            json!({
                "id": "r", "status": "completed", "branch": "orchestrator/r", "headCommit": "abc",
                "outcome": { "decision": "open_pr", "reasons": ["good", "small"] },
            }),
            json!([{ "id": "t", "kind": "plan", "status": "completed", "result": { "summary": "x" } }]),
            "Run r completed\n  decision  open_pr\n  because   good\n            small\n  branch    orchestrator/r\n  commit    \
             abc\n  tokens    0 in, 0 out, 0 model requests",
        );
    }

    #[test]
    fn a_failed_run_says_why_and_what_to_do() {
        check(
            json!({ "id": "r", "status": "failed" }),
            json!([{ "id": "t", "role": "tester", "kind": "single", "status": "failed", "error": { "code": "c", "message": "m" } }]),
            "Run r failed\n  tokens  0 in, 0 out, 0 model requests\n\nTask t (tester) failed with c: m\n\nSee what was said with \
             `orch tasks transcript t`; try it again with `orch runs retry r`.",
        );
    }
}
