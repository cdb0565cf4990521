//! What an agent is asked to do.

use domain::{
    ids::{RunId, TaskId},
    named_enum,
    role::Role,
    task::TaskKind,
};
use serde_json::Value;

/// A task with what its agent may know.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    pub task_id: TaskId,
    pub run_id: RunId,
    /// Counted from 1.
    pub attempt: i32,
    pub role: Role,
    pub kind: TaskKind,
    /// What to do, in the words of whoever asked.
    pub description: String,
    /// The task's own payload. The prompt shows it if it holds anything, so it needs no part in `context`; its member
    /// `stub` is for the [`StubExecutor`](crate::StubExecutor) only and is never shown.
    pub payload: Value,
    /// What else the agent may know, the most important first.
    pub context: Vec<ContextPart>,
    pub answer: AnswerForm,
}

/// A piece of what an agent may know: always data, never an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextPart {
    pub origin: Origin,
    /// Which one: a path, a round, a name.
    pub title: String,
    pub text: String,
}

named_enum! {
    /// Where a piece of context is from.
    pub enum Origin ("origin") {
        Goal = "goal",
        Plan = "plan",
        /// A review, a failed check, a refusal by the system.
        Feedback = "feedback",
        RepositoryFile = "repository file",
        /// The names of the repository's files.
        FileList = "file list",
        Payload = "payload",
        Diff = "diff",
    }
}

named_enum! {
    /// The form of an agent's answer.
    pub enum AnswerForm ("answer form") {
        /// A [`Plan`](domain::outputs::Plan).
        Plan = "plan",
        /// A [`ChangeSet`](domain::outputs::ChangeSet).
        ChangeSet = "change_set",
        /// A [`Review`](domain::outputs::Review).
        Review = "review",
        /// A [`TestReport`](domain::outputs::TestReport).
        TestReport = "test_report",
        /// A [`Decision`](domain::outputs::Decision).
        Decision = "decision",
        /// `{"text": …}`, or an [`AgentResponse`](domain::outputs::AgentResponse), as `ORCH_LLM_RESPONSE_FORMAT` says.
        Free = "free",
    }
}

impl AnswerForm {
    /// The form that a kind of task calls for.
    pub const fn of(kind: TaskKind) -> Self {
        match kind {
            TaskKind::Single => Self::Free,
            TaskKind::Plan => Self::Plan,
            TaskKind::Implement => Self::ChangeSet,
            TaskKind::Review => Self::Review,
            TaskKind::Test => Self::TestReport,
            TaskKind::Decide => Self::Decision,
        }
    }
}
