//! The name of a commit.

use std::{fmt, str::FromStr};

use crate::Error;

/// A whole commit id: 40 hexadecimal digits in lower case. Never an abbreviation, a branch or an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(String);

impl CommitId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text has the form of a commit id.
    pub(crate) fn is_form_of(text: &str) -> bool {
        text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl FromStr for CommitId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if Self::is_form_of(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::InvalidCommit(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
