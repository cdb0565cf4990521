//! What can go wrong with the queue.

use std::time::Duration;

use domain::role::Role;

/// The queue could not do what it was asked, or its connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker's URL is none. It holds a password, so it is not repeated here.
    #[error(
        "AMQP_URL is wrong: it must be amqp://user:password@host:port/vhost or amqps://…, with %2f for the vhost /"
    )]
    Url,
    /// The broker refused, or the connection broke.
    #[error("could not {doing}")]
    Broker {
        /// What was tried, as a verb: "declare the queues".
        doing: &'static str,
        #[source]
        source: Box<lapin::Error>,
    },
    /// The broker did not answer within the call limit.
    #[error("could not {doing} within {} ms", limit.as_millis())]
    TimedOut { doing: &'static str, limit: Duration },
    /// The broker ended a consumer, most likely because the queue was deleted.
    #[error("the broker ended the consumer of {role}")]
    ConsumerEnded { role: Role },
    /// Something was observed that makes the connection doubtful.
    #[error("the connection is in doubt: {reason}")]
    Doubt { reason: &'static str },
    /// The broker takes no messages for now: it is out of memory or disk.
    #[error("the broker blocks publishers: {reason}")]
    Blocked { reason: String },
    /// There is no connection to the broker at this moment.
    #[error("not connected to the broker")]
    NotConnected,
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed,
}

impl Error {
    pub(crate) fn broker(doing: &'static str, source: lapin::Error) -> Self {
        Self::Broker { doing, source: Box::new(source) }
    }

    /// The error and its causes in one line, for a status or a log.
    pub(crate) fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            // lapin's errors repeat their source.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = error.source();
        }
        line
    }
}

/// Why a message is not known to be safe. In every case it stays in the outbox and is published again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// As many messages wait as the queue may hold.
    #[error("the queue is full")]
    Full,
    /// The broker said no: the queue is full, or has no majority.
    #[error("the broker refused the message")]
    Refused,
    /// There is no queue for this role at the broker. It is being made.
    #[error("the broker has no queue for the message")]
    Unroutable,
    /// It is not known whether the broker has it: no answer within the call limit.
    #[error("the broker did not confirm in time")]
    TimedOut,
    /// It is not known whether the broker has it: the connection broke.
    #[error("the connection broke before the broker confirmed: {reason}")]
    Lost { reason: String },
    /// The broker takes no messages for now: it is out of memory or disk.
    #[error("the broker blocks publishers")]
    Blocked,
    /// There is no connection, and there was none for a while.
    #[error("not connected to the broker")]
    NotConnected,
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed,
}

impl PublishError {
    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Unroutable => "unroutable",
            Self::TimedOut => "timed_out",
            Self::Lost { .. } => "lost",
            Self::Blocked => "blocked",
            Self::NotConnected => "not_connected",
            Self::Closed => "closed",
        }
    }
}

/// A body that is none of our messages.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Larger than any message of ours.
    #[error("a body of {size_bytes} bytes is too large for a message")]
    TooLarge { size_bytes: usize },
    /// Not the JSON of a message.
    #[error("a body of {size_bytes} bytes is not a message")]
    NotAMessage {
        size_bytes: usize,
        #[source]
        source: serde_json::Error,
    },
}
