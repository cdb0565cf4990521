//! Why a delivery is not taken: what its sender is told, and how it is counted.

use std::time::Duration;

use github::{HeaderError, MalformedPayload, SignatureError};
use web::{BodyError, Problem};

/// What a sender is told to wait before another try.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A delivery that leaves no row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Headers(#[from] HeaderError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("too many bodies are being received")]
    NoRoom,
    #[error(transparent)]
    Payload(#[from] MalformedPayload),
    #[error("the delivery could not be stored")]
    Store(#[from] store::Error),
    #[error("the delivery could not be stored in time")]
    TooLate,
    #[error("the store gave an answer that does not belong to a delivery: {0}")]
    Unexpected(String),
}

impl Refusal {
    /// The metric's label.
    pub(crate) fn result(&self) -> &'static str {
        match self {
            Self::Signature(SignatureError::Missing) => "unsigned",
            Self::Signature(
                SignatureError::Repeated | SignatureError::Malformed | SignatureError::Mismatch,
            ) => "bad_signature",
            Self::Body(BodyError::TooLarge { .. }) => "too_large",
            Self::Headers(_) | Self::Body(BodyError::Broken(_)) | Self::Payload(_) => "malformed",
            Self::Body(BodyError::TooSlow { .. })
            | Self::NoRoom
            | Self::Store(_)
            | Self::TooLate
            | Self::Unexpected(_) => "failed",
        }
    }
}

/// The one table from refusal to answer.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            // Not a bearer's challenge: the signature is the only way in.
            Refusal::Signature(SignatureError::Missing) => {
                Self::new(actix_web::http::StatusCode::UNAUTHORIZED, "unsigned", detail)
            }
            Refusal::Signature(
                SignatureError::Repeated | SignatureError::Malformed | SignatureError::Mismatch,
            ) => Self::new(actix_web::http::StatusCode::UNAUTHORIZED, "bad_signature", detail),
            Refusal::Headers(_) => Self::bad_request("bad_headers", detail),
            Refusal::Body(error) => error.into(),
            Refusal::NoRoom => Self::unavailable("no_room", detail, RETRY_AFTER).closing(),
            Refusal::Payload(MalformedPayload::ContentType) => Self::unsupported_media_type(detail),
            Refusal::Payload(
                MalformedPayload::NotAnObject(_) | MalformedPayload::NoPayloadField,
            ) => Self::bad_request("bad_payload", detail),
            Refusal::Store(error) if error.is_transient() => {
                tracing::warn!(error = %chain(&error), "A delivery could not be stored; its sender was told to try again");
                Self::unavailable("store_unavailable", detail, RETRY_AFTER)
            }
            Refusal::Store(error) => Self::internal(chain(&error)),
            Refusal::TooLate => {
                tracing::warn!(
                    "A delivery could not be stored in time; its sender was told to try again"
                );
                Self::unavailable("store_unavailable", detail, RETRY_AFTER)
            }
            Refusal::Unexpected(_) => Self::internal(detail),
        }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
