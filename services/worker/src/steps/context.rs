//! What an agent is told beside its task: parts in the order of their weight, together within a bound.

use agent_executor::{ContextPart, Origin};
use domain::{
    outputs::{Plan, Review, ReviewComment, Subtask},
    transcript::shortened,
};

/// Parts that are shorter than this say nothing.
const SMALLEST: usize = 64;

/// Parts of a context, and the room that is left.
pub(super) struct Context {
    parts: Vec<ContextPart>,
    left: usize,
}

impl Context {
    /// An empty one with room for `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self { parts: Vec::new(), left: bytes }
    }

    /// How many bytes there is room for.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Adds a part. One that is too long is cut in its middle, and says so; one for which there is no room is left out, as is
    /// an empty one.
    pub(super) fn add(&mut self, origin: Origin, title: impl Into<String>, text: &str) {
        if text.trim().is_empty() || (self.left < SMALLEST && text.len() > self.left) {
            return;
        }
        let text = shortened(text, self.left);
        self.left = self.left.saturating_sub(text.len());
        self.parts.push(ContextPart { origin, title: title.into(), text });
    }

    /// Adds the run's goal, unless the task's own description says the same.
    pub(super) fn add_goal(&mut self, goal: &str, description: &str) {
        if goal.trim() != description.trim() {
            self.add(Origin::Goal, "goal of the run", goal);
        }
    }

    pub(super) fn add_plan(&mut self, plan: &Plan) {
        self.add(Origin::Plan, "plan", &plan_text(plan));
    }

    pub(super) fn into_parts(self) -> Vec<ContextPart> {
        self.parts
    }
}

/// A plan as a person would write it down.
fn plan_text(plan: &Plan) -> String {
    let mut text = format!("{}\n", plan.summary);
    for (index, subtask) in plan.subtasks.iter().enumerate() {
        text.push_str(&subtask_text(index, subtask));
    }
    text.push_str(&list("Risks", &plan.risks));
    text
}

fn subtask_text(index: usize, subtask: &Subtask) -> String {
    let Subtask { title, description, scope_paths, depends_on, acceptance } = subtask;
    let mut text = format!("\nSubtask {index}: {title}\n{description}\n");
    if !depends_on.is_empty() {
        let after: Vec<String> = depends_on.iter().map(u32::to_string).collect();
        text.push_str(&format!("After subtasks: {}\n", after.join(", ")));
    }
    text.push_str(&list("Paths", scope_paths));
    text.push_str(&list("Finished when", acceptance));
    text
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = items.iter().map(|item| format!("- {item}\n")).collect();
    format!("{title}:\n{}", lines.concat())
}

/// Remarks, each with its place.
pub(super) fn comments_text(comments: &[ReviewComment]) -> String {
    let line = |comment: &ReviewComment| {
        let ReviewComment { path, line, severity, body } = comment;
        match (path.as_str(), line) {
            ("", _) => format!("- [{severity}] {body}\n"),
            (path, None) => format!("- [{severity}] {path}: {body}\n"),
            (path, Some(line)) => format!("- [{severity}] {path}:{line}: {body}\n"),
        }
    };
    comments.iter().map(line).collect()
}

/// A review with its verdict.
pub(super) fn review_text(review: &Review) -> String {
    format!("Verdict: {}\n{}\n{}", review.verdict, review.summary, comments_text(&review.comments))
}

#[cfg(test)]
mod tests {
    use domain::outputs::{Severity, Verdict};

    use super::*;

    #[test]
    fn parts_share_the_room_and_what_finds_none_is_left_out() {
        let mut context = Context::new(300);
        context.add(Origin::Plan, "first", &"a".repeat(100));
        context.add(Origin::Diff, "empty", " \n");
        context.add(Origin::Diff, "second", &"b".repeat(1_000));
        context.add(Origin::FileList, "third", &"c".repeat(1_000));
        let parts = context.into_parts();
        let titles: Vec<_> = parts.iter().map(|part| part.title.as_str()).collect();
        assert_eq!(titles, ["first", "second"]);
        assert!(parts.iter().map(|part| part.text.len()).sum::<usize>() <= 300);
        assert!(parts[1].text.contains("bytes left out"), "{}", parts[1].text);
    }

    #[test]
    fn a_plan_and_a_review_are_told_as_a_person_would() {
        let plan = Plan {
            summary: "Add a parser.".to_owned(),
            subtasks: vec![Subtask {
                title: "Parser".to_owned(),
                description: "Write it.".to_owned(),
                scope_paths: vec!["src/parse.rs".to_owned()],
                depends_on: vec![1, 2],
                acceptance: vec!["It parses.".to_owned()],
            }],
            risks: Vec::new(),
            needs_human: false,
        };
        assert_eq!(
            plan_text(&plan),
            "Add a parser.\n\nSubtask 0: Parser\nWrite it.\nAfter subtasks: 1, 2\nPaths:\n- src/parse.rs\n\
             Finished when:\n- It parses.\n"
        );
        let comment = |path: &str, line| ReviewComment {
            path: path.to_owned(),
            line,
            severity: Severity::Major,
            body: "Why?".to_owned(),
        };
        let comments = vec![comment("", None), comment("a.rs", None), comment("a.rs", Some(7))];
        let review =
            Review { verdict: Verdict::RequestChanges, summary: "Not yet.".to_owned(), comments };
        assert_eq!(
            review_text(&review),
            "Verdict: request_changes\nNot yet.\n- [major] Why?\n- [major] a.rs: Why?\n- [major] a.rs:7: Why?\n"
        );
    }
}
