//! `implement`: the implementer says what the files shall hold; the system applies, commits and pushes it.
//!
//! ```text
//!  open the branch ──▶ pushed by an earlier attempt? ──yes──▶ adopt it, no model is asked
//!                          └─no─▶ ask ──▶ apply ──▶ commit ──▶ lease still held? ──▶ push
//!                                           └─ refused: feedback for another round
//! ```

use agent_executor::Origin;
use domain::{
    outputs::{ChangeSet, FileAction, FileChange},
    settlement::RunProgress,
    workflow::{
        StepOutput,
        grow::{ImplementInput, Implemented, Refusal},
    },
};
use serde_json::{Value, json};
use workspace::{Action, Applied, Change, Checkout, CommitId};

use super::{
    Done,
    context::{Context, comments_text},
    desk::{Answer, Desk},
    diff::changed_files,
    error::StepError,
    files,
};

/// The trailers of our commits. The first tells an attempt its task's earlier work.
const TASK: &str = "Orchestrator-Task";
const RUN: &str = "Orchestrator-Run";
const ATTEMPT: &str = "Orchestrator-Attempt";

/// How much of a diff is read to find the files of an adopted commit.
const DIFF_BYTES: usize = 4 * 1024 * 1024;
/// The longest subject of a commit, as git's own tools show it whole.
const SUBJECT_CHARS: usize = 72;

pub(super) async fn run(desk: &mut Desk<'_>) -> Result<Done, StepError> {
    let input: ImplementInput = desk.input()?;
    let checkout = desk.open().await?;
    if let Some(change) = adopt(desk, &checkout).await? {
        return Ok(done(&checkout, change, json!(["an earlier attempt had pushed this commit"])));
    }
    let context = context(desk, &input, &checkout).await?;
    let answer: Answer<ChangeSet> = desk.ask(context).await?;
    let applied = match checkout.apply(&changes(&answer.typed)).await {
        Ok(applied) => applied,
        Err(workspace::Error::Refused(refusals)) => return Ok(refused(&checkout, &refusals)),
        Err(error) => return Err(error.into()),
    };
    let commit = commit(desk, &checkout, &answer.typed.summary).await?;
    desk.confirm_lease().await?;
    checkout.push().await?;

    let change = Implemented {
        commit: commit.to_string(),
        branch: checkout.branch().to_owned(),
        summary: answer.typed.summary,
        files: files_of(applied),
    };
    let notes = answer.result.get("notes").cloned().unwrap_or(Value::Null);
    Ok(done(&checkout, change, notes))
}

/// What an earlier attempt at this task has pushed, if it came as far.
async fn adopt(desk: &Desk<'_>, checkout: &Checkout) -> Result<Option<Implemented>, StepError> {
    if !checkout.branch_exists() || checkout.trailer(TASK) != Some(desk.task.id.to_string()) {
        return Ok(None);
    }
    let head = checkout.head_commit();
    let before = match &desk.task.run.head_commit {
        Some(commit) => commit.parse()?,
        None => checkout.base_commit().clone(),
    };
    let diff = checkout.diff(&before, &head, DIFF_BYTES).await?;
    let message = checkout.head_message();
    let summary =
        message.trim_end().rsplit_once("\n\n").map_or(message.as_str(), |(text, _trailers)| text);
    tracing::info!(
        task.id = %desk.task.id, run.id = %desk.task.run_id, attempt = desk.task.attempt,
        "An earlier attempt had pushed its commit, which is taken over"
    );
    Ok(Some(Implemented {
        commit: head.to_string(),
        branch: checkout.branch().to_owned(),
        summary: summary.to_owned(),
        files: changed_files(&diff).into_iter().map(|file| file.path).collect(),
    }))
}

/// The plan, what was found wrong so far, and the files that it is about.
async fn context(
    desk: &Desk<'_>,
    input: &ImplementInput,
    checkout: &Checkout,
) -> Result<Context, StepError> {
    let mut context = desk.context();
    context.add_goal(&desk.task.run.goal, &desk.task.description);
    context.add_plan(&input.plan);
    context.add(
        Origin::Feedback,
        format!("feedback on round {}", input.round - 1),
        &comments_text(&input.feedback),
    );
    files::add_list(&mut context, checkout);

    let named =
        input.feedback.iter().map(|comment| comment.path.clone()).filter(|path| !path.is_empty());
    let diff = checkout.diff(checkout.base_commit(), &checkout.head_commit(), DIFF_BYTES).await?;
    let changed = changed_files(&diff).into_iter().map(|file| file.path);
    let scope: Vec<String> =
        input.plan.subtasks.iter().flat_map(|it| it.scope_paths.clone()).collect();
    let paths: Vec<String> = named.chain(changed).chain(files::under(checkout, &scope)).collect();
    files::add_contents(&mut context, checkout, paths).await?;
    Ok(context)
}

fn changes(set: &ChangeSet) -> Vec<Change> {
    let change = |FileChange { path, action, content }: &FileChange| Change {
        path: path.clone(),
        action: match action {
            FileAction::Write => Action::Write { content: content.clone() },
            FileAction::Delete => Action::Delete,
        },
    };
    set.changes.iter().map(change).collect()
}

async fn commit(
    desk: &Desk<'_>,
    checkout: &Checkout,
    summary: &str,
) -> Result<CommitId, StepError> {
    let task = desk.task;
    let trailers = [
        (TASK, task.id.to_string()),
        (RUN, task.run_id.to_string()),
        (ATTEMPT, task.attempt.to_string()),
    ];
    let commit = checkout.commit(&message(summary), &trailers, &desk.author()).await?;
    commit.ok_or_else(|| StepError::Answer("it changes nothing".to_owned()))
}

/// A subject, and the whole summary where it says more.
fn message(summary: &str) -> String {
    let summary = summary.trim();
    let first = summary.lines().next().unwrap_or_default();
    if first.chars().count() <= SUBJECT_CHARS {
        return match summary.strip_prefix(first).map(str::trim) {
            Some(rest) if !rest.is_empty() => format!("{first}\n\n{rest}"),
            Some(_) | None => first.to_owned(),
        };
    }
    let subject: String = first.chars().take(SUBJECT_CHARS - 1).collect();
    format!("{}…\n\n{summary}", subject.trim_end())
}

fn files_of(applied: Applied) -> Vec<String> {
    let mut files = applied.written;
    files.extend(applied.deleted);
    files.sort_unstable();
    files
}

fn done(checkout: &Checkout, change: Implemented, notes: Value) -> Done {
    let run = RunProgress {
        base_commit: Some(checkout.base_commit().to_string()),
        branch: Some(change.branch.clone()),
        head_commit: Some(change.commit.clone()),
    };
    let mut result = json!(change);
    if !notes.is_null() {
        result["notes"] = notes;
    }
    Done { result, output: StepOutput::Implement(change), run }
}

fn refused(checkout: &Checkout, refusals: &[workspace::Refusal]) -> Done {
    let refusals: Vec<Refusal> = refusals
        .iter()
        .map(|it| Refusal { path: it.path.clone(), reason: it.reason.to_string() })
        .collect();
    let run = RunProgress {
        base_commit: Some(checkout.base_commit().to_string()),
        ..RunProgress::default()
    };
    Done { result: json!({ "refused": refusals }), output: StepOutput::Refused(refusals), run }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_becomes_a_message_with_a_subject() {
        assert_eq!(message(" Add a parser. \n"), "Add a parser.");
        assert_eq!(message("Add a parser.\nIt parses."), "Add a parser.\n\nIt parses.");
        assert_eq!(
            message("Add a parser.\n\nIt parses.\n\nWell."),
            "Add a parser.\n\nIt parses.\n\nWell."
        );
        let long = "word ".repeat(30);
        let made = message(&long);
        let (subject, body) = made.split_once("\n\n").unwrap();
        assert!(subject.chars().count() <= SUBJECT_CHARS && subject.ends_with('…'), "{subject}");
        assert_eq!(body, long.trim());
    }
}
