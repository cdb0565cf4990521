//! A piece of an answer, in whichever format it came.

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Finish, Usage};

/// What one line or event of an answer adds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) finish: Option<Finish>,
    pub(crate) usage: Option<Usage>,
    pub(crate) model: Option<String>,
    /// Nothing follows.
    pub(crate) last: bool,
}

/// A server's complaint: a string, or an object with a message; some servers put a list around it.
#[derive(Deserialize)]
pub(crate) struct Complaint {
    error: Value,
}

impl Complaint {
    /// The complaint's words, if `bytes` hold one.
    pub(crate) fn read(bytes: &[u8]) -> Option<String> {
        let value = serde_json::from_slice::<Value>(bytes).ok()?;
        let inner = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
        let error = Self::deserialize(inner).ok()?.error;
        if error.is_null() {
            return None;
        }
        let words = error.as_str().or_else(|| error.get("message")?.as_str());
        Some(words.map_or_else(|| error.to_string(), str::to_owned))
    }
}

/// The answer so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) usage: Usage,
    pub(crate) finish: Option<Finish>,
    pub(crate) model: Option<String>,
}

impl Answer {
    pub(crate) fn add(&mut self, piece: Piece) {
        self.text.push_str(&piece.text);
        self.usage = piece.usage.unwrap_or(self.usage);
        self.finish = piece.finish.or(self.finish);
        if self.model.is_none() {
            self.model = piece.model;
        }
    }
}

/// The error for bytes that are not what the format says: a complaint inside a stream, or rubbish.
pub(crate) fn unreadable(bytes: &[u8], error: &serde_json::Error) -> Error {
    match Complaint::read(bytes) {
        Some(words) => Error::Interrupted { cause: words },
        None => Error::Malformed { cause: error.to_string() },
    }
}
