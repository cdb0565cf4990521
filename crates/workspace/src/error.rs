//! What can go wrong, by what a caller does about it.

use std::io;

use crate::{CommitId, Refusal};

/// Why a workspace could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`{given}` is not a repository: {reason}; use owner/name, an https URL or an absolute path"
    )]
    InvalidLocation { given: String, reason: &'static str },
    #[error("`{0}` is not a commit id")]
    InvalidCommit(String),
    #[error("`{0}` is not a usable name of a branch")]
    InvalidRef(String),
    /// A setting forbids it; the text names the setting.
    #[error("{0}")]
    NotAllowed(String),
    /// A repository, a ref or a commit; also one that the token may not see.
    #[error("{what} was not found, or may not be seen with these credentials")]
    NotFound { what: String },
    #[error("{repository} has no commits to begin from")]
    Empty { repository: String },
    #[error("{repository} refused the credentials: {detail}")]
    Unauthorised { repository: String, detail: String },
    /// The network, or the other side, for now.
    #[error("{repository} could not be reached: {detail}")]
    Unavailable { repository: String, detail: String },
    /// Content that git's own checks call broken or dangerous.
    #[error("{repository} holds objects that git refuses: {detail}")]
    Malformed { repository: String, detail: String },
    #[error("git took more than {seconds} s to {doing}")]
    TimedOut { doing: &'static str, seconds: u64 },
    #[error("cancelled on the way to {doing}")]
    Cancelled { doing: &'static str },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    /// Changes that may not be made. None of those given with them was made either.
    #[error("{} refused: {}", count(.0), listed(.0))]
    Refused(Vec<Refusal>),
    /// Somebody else pushed to the branch since the checkout was opened.
    #[error("branch {branch} was moved by somebody else, to {}", .found.as_ref().map_or("nothing", CommitId::as_str))]
    BranchMoved { branch: String, found: Option<CommitId> },
    /// The other side took the commits and then said no, by a rule of its own.
    #[error("{repository} rejected the push of {branch}: {detail}")]
    Rejected { repository: String, branch: String, detail: String },
    #[error("could not {doing}")]
    Io { doing: &'static str, source: io::Error },
    /// Anything else that git says.
    #[error("git could not {doing}: {detail}")]
    Git { doing: &'static str, detail: String },
}

impl Error {
    /// Whether the same request may succeed later. Bounded retries are the caller's.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::TimedOut { .. }
            | Self::BranchMoved { .. }
            | Self::Io { .. }
            | Self::Git { .. } => true,
            Self::InvalidLocation { .. }
            | Self::InvalidCommit(_)
            | Self::InvalidRef(_)
            | Self::NotAllowed(_)
            | Self::NotFound { .. }
            | Self::Empty { .. }
            | Self::Unauthorised { .. }
            | Self::Malformed { .. }
            | Self::Cancelled { .. }
            | Self::TooLarge { .. }
            | Self::Refused(_)
            | Self::Rejected { .. } => false,
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    /// The error for what git said while it spoke to `repository`. Git has no error codes for this; its messages in the C
    /// locale are what there is.
    pub(crate) fn from_transport(repository: &str, doing: &'static str, detail: String) -> Self {
        let says = |signs: &[&str]| signs.iter().any(|sign| detail.contains(sign));
        let repository = repository.to_owned();
        if says(&[
            "terminal prompts disabled",
            "Authentication failed",
            "error: 401",
            "error: 403",
            "HTTP 403",
        ]) {
            Self::Unauthorised { repository, detail }
        } else if says(&[
            "' not found",
            "error: 404",
            "does not appear to be a git repository",
            "not our ref",
        ]) || says(&["unadvertised object", "find remote ref"])
        {
            Self::NotFound { what: repository }
        } else if says(&["fsck error", "error in packed object", "mismatched algorithms"]) {
            Self::Malformed { repository, detail }
        } else if says(UNAVAILABLE) {
            Self::Unavailable { repository, detail }
        } else {
            Self::Git { doing, detail }
        }
    }
}

/// What git and curl say where a later attempt may fare better.
const UNAVAILABLE: &[&str] = &[
    "error: 5",
    "error: 429",
    "HTTP 5",
    "Could not resolve host",
    "Failed to connect",
    "Couldn't connect",
    "Connection re",
    "timed out",
    "Empty reply",
    "early EOF",
    "RPC failed",
    "hung up unexpectedly",
    "unexpected disconnect",
    "transfer closed",
    "too slow",
];

fn count(refusals: &[Refusal]) -> String {
    if refusals.len() == 1 {
        "1 change is".to_owned()
    } else {
        format!("{} changes are", refusals.len())
    }
}

fn listed(refusals: &[Refusal]) -> String {
    let mut shown: Vec<String> = refusals.iter().take(10).map(ToString::to_string).collect();
    if refusals.len() > shown.len() {
        shown.push(format!("and {} more", refusals.len() - shown.len()));
    }
    shown.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_decides_whether_to_try_again() {
        check(
            "fatal: could not read Username for 'https://x': terminal prompts disabled",
            "Unauthorised",
            false,
        );
        check(
            "fatal: unable to access 'https://x/': The requested URL returned error: 403",
            "Unauthorised",
            false,
        );
        check(
            "error: RPC failed; HTTP 403 curl 22 The requested URL returned error: 403",
            "Unauthorised",
            false,
        );
        check("fatal: repository 'https://x/' not found", "NotFound", false);
        check(
            "fatal: unable to access 'https://x/': The requested URL returned error: 502",
            "Unavailable",
            true,
        );
        check(
            "error: RPC failed; HTTP 500 curl 22 The requested URL returned error: 500",
            "Unavailable",
            true,
        );
        check(
            "fatal: unable to access 'https://x/': Could not resolve host: x",
            "Unavailable",
            true,
        );
        check("fatal: the remote end hung up unexpectedly", "Unavailable", true);
        check("fatal: fsck error in packed object", "Malformed", false);
        check("fatal: mystery", "Git", true);
    }

    #[track_caller]
    fn check(said: &str, variant: &str, retryable: bool) {
        let error = Error::from_transport("x", "fetch", said.to_owned());
        assert!(format!("{error:?}").starts_with(variant), "{said}: {error:?}");
        assert_eq!(error.is_retryable(), retryable, "{said}");
    }
}
