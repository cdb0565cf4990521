//! The registry of agents: what each role is for and may do. The system enforces it; prompts only explain it.

use serde::Serialize;

use crate::{role::Role, task::TaskKind};

/// One role's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentEntry {
    pub role: Role,
    pub purpose: &'static str,
    /// What it is shown.
    pub reads: &'static [&'static str],
    /// What it may change, through the system.
    pub writes: &'static [&'static str],
    /// The name of its typed output.
    pub output: &'static str,
    /// The workflow steps that it does.
    pub kinds: &'static [TaskKind],
}

/// Every role, in the order of the workflow.
pub const AGENTS: &[AgentEntry] = &[
    AgentEntry {
        role: Role::Architect,
        purpose: "Reads the repository and splits a goal into subtasks.",
        reads: &["repository"],
        writes: &[],
        output: "plan",
        kinds: &[TaskKind::Plan, TaskKind::Single],
    },
    AgentEntry {
        role: Role::Implementer,
        purpose: "Changes files to do what the plan says.",
        reads: &["repository", "plan", "feedback"],
        writes: &["files of the repository that policy lets it write"],
        output: "change_set",
        kinds: &[TaskKind::Implement, TaskKind::Single],
    },
    AgentEntry {
        role: Role::Reviewer,
        purpose: "Judges a change: approves it, or asks for another.",
        reads: &["repository", "diff", "plan"],
        writes: &[],
        output: "review",
        kinds: &[TaskKind::Review, TaskKind::Single],
    },
    AgentEntry {
        role: Role::Tester,
        purpose: "Reports what the checks say of a change.",
        reads: &["repository", "diff"],
        writes: &[],
        output: "test_report",
        kinds: &[TaskKind::Test, TaskKind::Single],
    },
    AgentEntry {
        role: Role::Maintainer,
        purpose: "Decides what becomes of the result; the system carries it out.",
        reads: &["plan", "diff", "review"],
        writes: &[],
        output: "decision",
        kinds: &[TaskKind::Decide, TaskKind::Single],
    },
];
