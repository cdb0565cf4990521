//! What can go wrong in the store.

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Variants that a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, or no connection came free in time. Worth trying again.
    #[error("the database is not available: {reason}")]
    Unavailable { reason: String },
    /// Too many requests wait already. Worth trying again, later.
    #[error("too many requests wait for the database")]
    Busy,
    /// The work was cut off before its end, by a shutdown or a panic; whether it happened is not known.
    #[error("the work was cut off before its end")]
    Interrupted,
    /// A statement failed.
    #[error("could not {action}")]
    Query {
        action: &'static str,
        #[source]
        source: diesel::result::Error,
    },
    /// A transaction could not begin or commit.
    #[error("could not finish the transaction")]
    Transaction(#[source] diesel::result::Error),
    /// These ids are there already. Never seen by callers: it becomes an answer.
    #[error("ids exist already: {}", ids.join(", "))]
    Conflict { ids: Vec<String> },
    /// A row holds what this version does not know.
    #[error("{column} holds {what}, which this version does not understand")]
    Corrupt { column: &'static str, what: String },
    /// The schema is not the one of this version.
    #[error("{0}")]
    Schema(String),
    /// A wrong setting.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// The same failure for another request of the batch.
    pub(crate) fn same(&self) -> Self {
        match self {
            Self::Unavailable { reason } => Self::Unavailable { reason: reason.clone() },
            Self::Busy => Self::Busy,
            Self::Interrupted
            | Self::Query { .. }
            | Self::Transaction(_)
            | Self::Conflict { .. }
            | Self::Corrupt { .. }
            | Self::Schema(_)
            | Self::Settings(_) => Self::Unavailable { reason: self.chain() },
        }
    }

    /// It and its causes, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// Whether the same request may succeed later, so that a client should be told to try again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Busy | Self::Interrupted => true,
            Self::Query { source, .. } | Self::Transaction(source) => may_pass(source),
            Self::Conflict { .. } | Self::Corrupt { .. } | Self::Schema(_) | Self::Settings(_) => {
                false
            }
        }
    }
}

/// What a database says that may do the same later: it lost us, somebody was in the way, or it lacks something that people or
/// time give back. By its words, since codes do not come through.
const PASSING: [&str; 14] = [
    "connection",
    "deadlock",
    "statement timeout",
    "lock timeout",
    "the database system is",
    "too many clients",
    "read-only transaction",
    "out of memory",
    "No space left on device",
    "could not extend file",
    "could not write",
    "disk I/O error",
    "database is locked",
    "disk is full",
];

fn may_pass(error: &diesel::result::Error) -> bool {
    use diesel::result::{DatabaseErrorKind, Error as Diesel};
    let Diesel::DatabaseError(kind, info) = error else {
        return matches!(
            error,
            Diesel::BrokenTransactionManager | Diesel::RollbackErrorOnCommit { .. }
        );
    };
    matches!(
        kind,
        DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
    ) || PASSING.iter().any(|words| info.message().contains(words))
}

impl From<diesel::result::Error> for Error {
    fn from(source: diesel::result::Error) -> Self {
        Self::Transaction(source)
    }
}

/// Says what a statement was for. The cause stays the error's source.
pub(crate) trait During<T> {
    fn during(self, action: &'static str) -> Result<T>;
}

impl<T> During<T> for diesel::QueryResult<T> {
    fn during(self, action: &'static str) -> Result<T> {
        self.map_err(|source| Error::Query { action, source })
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error as Diesel};

    use super::*;

    #[test]
    fn what_time_or_people_give_back_is_worth_trying_again() {
        check("could not extend file \"base/1/2\": No space left on device", true);
        check("database or disk is full", true);
        check("the database system is in recovery mode", true);
        check("sorry, too many clients already", true);
        check("cannot execute INSERT in a read-only transaction", true);
        check("canceling statement due to lock timeout", true);
        check("invalid byte sequence for encoding \"UTF8\": 0x00", false);
        check("new row for relation \"tasks\" violates check constraint", false);
    }

    #[track_caller]
    fn check(message: &str, expected: bool) {
        let source =
            Diesel::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()));
        assert_eq!(Error::Transaction(source).is_transient(), expected, "{message}");
    }
}
