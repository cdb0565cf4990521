//! The transcript of an attempt: what was said to a model and what it answered, in order, append only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{limits::TURN_BYTES, named_enum};

named_enum! {
    /// What a turn is in the conversation.
    pub enum TurnKind ("turn kind") {
        /// What the system asked.
        Prompt = "prompt",
        /// What the model said.
        Answer = "answer",
        /// What was wrong with an answer, fed back.
        Repair = "repair",
        /// A tool that the model called.
        ToolCall = "tool_call",
        /// What the tool gave back.
        ToolResult = "tool_result",
        /// A request that failed.
        Error = "error",
    }
}

named_enum! {
    /// Who said a turn, in the words of the chat formats.
    pub enum Speaker ("speaker") {
        System = "system",
        User = "user",
        Assistant = "assistant",
        Tool = "tool",
    }
}

/// One entry of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// Position in the attempt, counted from 0.
    pub seq: i32,
    pub kind: TurnKind,
    pub role: Speaker,
    /// At most [`TURN_BYTES`], without NUL, which Postgres cannot hold; a longer text is cut in its middle, and says so.
    pub content: String,
    /// The model that answered, for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens that the model read for this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<i64>,
    /// Tokens that the model wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<i64>,
    /// Milliseconds from the request to the end of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<i64>,
    pub at: DateTime<Utc>,
}

impl Turn {
    /// A turn that no model call is behind.
    pub fn new(seq: i32, kind: TurnKind, role: Speaker, content: &str, at: DateTime<Utc>) -> Self {
        Self {
            seq,
            kind,
            role,
            content: shortened(content, TURN_BYTES).replace('\0', "␀"),
            model: None,
            tokens_in: None,
            tokens_out: None,
            latency_ms: None,
            at,
        }
    }
}

/// `text`, or its head and tail with a note of how much is missing between them, in at most `max` bytes.
pub fn shortened(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let note = format!("\n[… {} bytes left out …]\n", text.len() - max);
    let keep = max.saturating_sub(note.len() + 16);
    let head = text.floor_char_boundary(keep / 2);
    let tail = text.ceil_char_boundary(text.len() - keep / 2);
    let missing = tail - head;
    format!("{}\n[… {missing} bytes left out …]\n{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_ends_and_says_what_is_missing() {
        let text = format!("begin {} end", "é".repeat(1_000));
        let short = shortened(&text, 200);
        assert!(short.len() <= 200, "{}", short.len());
        assert!(short.starts_with("begin ") && short.ends_with(" end"), "{short}");
        assert!(short.contains(" bytes left out …]"), "{short}");
    }

    #[test]
    fn a_text_that_fits_is_left_alone() {
        assert_eq!(shortened("as it is", 8), "as it is");
    }
}
