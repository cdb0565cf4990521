//! What is set about tools: read and checked, though no tool runs yet.

use std::path::{Component, Path, PathBuf};

use super::Reader;

/// Rounds of tool calls where none are set.
const MAX_ITERATIONS: u32 = 3;

/// What an operator lets agents run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSettings {
    /// Names of commands, without paths.
    pub allowlist: Vec<String>,
    /// Rounds of tool calls in one task.
    pub max_iterations: u32,
    /// Where commands run; none is the task's workspace.
    pub cwd: Option<PathBuf>,
    /// What commands may use; empty is the task's workspace.
    pub allowed_roots: Vec<PathBuf>,
}

pub(super) fn read(
    reader: &mut Reader,
    allowlist: Option<String>,
    max_iterations: Option<String>,
    cwd: Option<String>,
    allowed_roots: Option<String>,
) -> ToolSettings {
    let shown = cwd.clone();
    let settings = ToolSettings {
        allowlist: reader
            .list(
                "ORCH_TOOL_ALLOWLIST",
                allowlist,
                "names of commands with commas, without paths",
                command,
            )
            .unwrap_or_default(),
        max_iterations: reader
            .number("ORCH_TOOL_MAX_ITERATIONS", max_iterations, 1..=100)
            .unwrap_or(MAX_ITERATIONS),
        cwd: reader.read("ORCH_TOOL_CWD", cwd, "an absolute path without `..`", folder),
        allowed_roots: reader
            .list(
                "ORCH_TOOL_ALLOWED_ROOTS",
                allowed_roots,
                "absolute paths with commas, without `..`",
                folder,
            )
            .unwrap_or_default(),
    };
    let outside = |cwd: &PathBuf| !settings.allowed_roots.iter().any(|root| cwd.starts_with(root));
    if !settings.allowed_roots.is_empty() && settings.cwd.as_ref().is_some_and(outside) {
        reader.wrong("ORCH_TOOL_CWD", shown, "a folder inside ORCH_TOOL_ALLOWED_ROOTS");
    }
    settings
}

fn command(name: &str) -> Option<String> {
    let plain = |it: char| it.is_ascii_alphanumeric() || "._+-".contains(it);
    (name.chars().all(plain) && !name.starts_with(['.', '-'])).then(|| name.to_owned())
}

fn folder(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let plain = path.components().all(|it| it != Component::ParentDir);
    (path.is_absolute() && plain && !path.to_string_lossy().contains('\0')).then(|| path.to_owned())
}
