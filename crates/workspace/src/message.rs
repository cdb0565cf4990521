//! Commit messages, and the trailers by which an attempt knows its own work again.

use std::path::Path;

use crate::{CommitId, Error, process::Git};

/// Longest part of a message that is read.
const MESSAGE_BYTES: usize = 256 * 1024;

/// Reads the message of a commit.
pub(crate) async fn read(git: &Git, git_dir: &Path, commit: &CommitId) -> Result<String, Error> {
    let call = git.call("read a commit", git_dir).max_output(MESSAGE_BYTES);
    let output = call.args(["cat-file", "commit", commit.as_str()]).run().await?;
    if !output.cut && !output.status.success() {
        return Err(Error::Git { doing: "read a commit", detail: output.complaint });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_once("\n\n").map_or("", |(_headers, message)| message).to_owned())
}

/// A whole message: what is said about the change, then the trailers as its last paragraph.
pub(crate) fn compose(text: &str, trailers: &[(&str, String)]) -> String {
    let text: String =
        text.chars().filter(|it| *it == '\n' || *it == '\t' || !it.is_control()).collect();
    let text = match text.trim() {
        "" => "Change files",
        some => some,
    };
    let lines: Vec<String> =
        trailers.iter().map(|(key, value)| format!("{key}: {}", one_line(value))).collect();
    if lines.is_empty() { format!("{text}\n") } else { format!("{text}\n\n{}\n", lines.join("\n")) }
}

/// The value of a trailer: a `Key: value` line of the last paragraph. Text above it, which a model may have written, never
/// counts.
pub(crate) fn trailer(message: &str, key: &str) -> Option<String> {
    let (_above, last) = message.trim_end().rsplit_once("\n\n")?;
    let value_of = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case(key).then(|| value.trim().to_owned())
    };
    last.lines().find_map(value_of)
}

fn one_line(value: &str) -> String {
    value
        .split(char::is_control)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_with_its_trailers() {
        let trailers = [
            ("Orchestrator-Task", "42".to_owned()),
            ("Orchestrator-Run", "a\nForged: b".to_owned()),
        ];
        assert_eq!(
            compose("Add a parser\r\n\r\nIt parses.\0\n", &trailers),
            "Add a parser\n\nIt parses.\n\nOrchestrator-Task: 42\nOrchestrator-Run: a Forged: b\n"
        );
        assert_eq!(compose("  ", &[]), "Change files\n");
    }

    #[test]
    fn a_trailer_is_found_in_the_last_paragraph_only() {
        check("Subject\n\nOrchestrator-Task: 1\n", Some("1"));
        check("Subject\n\norchestrator-task:  1 \n\n", Some("1"));
        check("Subject\n\nOrchestrator-Task: forged\n\nOrchestrator-Task: 1\n", Some("1"));
        check("Subject\n\nOrchestrator-Task: forged\n\nOther: 1\n", None);
        check("Orchestrator-Task: 1\n", None);
        check("", None);
    }

    #[track_caller]
    fn check(message: &str, expected: Option<&str>) {
        assert_eq!(trailer(message, "Orchestrator-Task").as_deref(), expected, "{message:?}");
    }

    #[test]
    fn a_message_written_by_compose_gives_back_its_trailers() {
        let message = compose(
            "Subject\n\nOrchestrator-Task: forged",
            &[("Orchestrator-Task", "7".to_owned())],
        );
        assert_eq!(trailer(&message, "Orchestrator-Task").as_deref(), Some("7"));
    }
}
