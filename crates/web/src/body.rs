//! Reading a request's body under limits. actix itself waits for a body without end.

use std::time::Duration;

use actix_web::{
    dev::Payload,
    error::PayloadError,
    http::header::{self, HeaderMap},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::problem::Problem;

/// Room made before the first byte is there; more is made as bytes come, so that a lie in Content-Length costs nothing.
const FIRST_ROOM_BYTES: usize = 64 * 1024;

/// How slowly a body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Request bodies")]
pub struct BodyDeadlines {
    /// Milliseconds between two pieces of a request's body.
    #[arg(long = "body-idle-ms", env = "ORCH_BODY_IDLE_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_ms: u64,
    /// Milliseconds for the whole body, beside what its size is given by the slowest rate.
    #[arg(long = "body-total-ms", env = "ORCH_BODY_TOTAL_MS", default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub total_ms: u64,
    /// The slowest rate: each so many bytes received give the body one more second.
    #[arg(long = "body-min-bytes-per-second", env = "ORCH_BODY_MIN_BYTES_PER_SECOND", default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..))]
    pub min_bytes_per_second: u64,
}

impl Default for BodyDeadlines {
    fn default() -> Self {
        Self { idle_ms: 5_000, total_ms: 15_000, min_bytes_per_second: 65_536 }
    }
}

impl BodyDeadlines {
    /// When the next piece must be there, `received` bytes after `start`.
    fn next(&self, start: Instant, received: usize) -> Instant {
        let earned_ms = (received as u64).saturating_mul(1_000) / self.min_bytes_per_second.max(1);
        let end = start + Duration::from_millis(self.total_ms.saturating_add(earned_ms));
        end.min(Instant::now() + Duration::from_millis(self.idle_ms))
    }
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body has more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("the body came too slowly: {received_bytes} bytes in {}.{:03} s", elapsed.as_secs(), elapsed.subsec_millis())]
    TooSlow { received_bytes: usize, elapsed: Duration },
    #[error("the body ended early or is wrongly framed")]
    Broken(#[source] PayloadError),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit_bytes } => Self::payload_too_large(limit_bytes),
            BodyError::TooSlow { .. } => Self::request_timeout(error.to_string()),
            BodyError::Broken(_) => Self::bad_request("broken_body", error.to_string()).closing(),
        }
    }
}

/// The whole body, of at most `limit_bytes`. A body that says it is larger is refused before any of it is read; never more
/// than the limit is held.
///
/// # Errors
/// [`BodyError`], which a handler may return as its [`Problem`]; the connection then ends with the answer.
pub async fn read_body(
    headers: &HeaderMap,
    mut payload: Payload,
    limit_bytes: usize,
    deadlines: BodyDeadlines,
) -> Result<Bytes, BodyError> {
    let announced = announced_bytes(headers);
    if announced.is_some_and(|bytes| bytes > limit_bytes) {
        return Err(BodyError::TooLarge { limit_bytes });
    }
    let start = Instant::now();
    let mut whole = BytesMut::new();
    loop {
        let Ok(piece) = timeout_at(deadlines.next(start, whole.len()), payload.next()).await else {
            return Err(BodyError::TooSlow {
                received_bytes: whole.len(),
                elapsed: start.elapsed(),
            });
        };
        let Some(piece) = piece.transpose().map_err(BodyError::Broken)? else {
            return Ok(whole.freeze());
        };
        if whole.len() + piece.len() > limit_bytes {
            return Err(BodyError::TooLarge { limit_bytes });
        }
        if whole.is_empty() {
            // The usual small body comes in one piece and is not copied.
            if announced == Some(piece.len()) {
                return Ok(piece);
            }
            whole.reserve(announced.unwrap_or(piece.len()).min(FIRST_ROOM_BYTES));
        }
        whole.extend_from_slice(&piece);
    }
}

/// What Content-Length says; actix has refused a request where it is not one number.
fn announced_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use futures_util::{StreamExt as _, stream};

    use super::*;

    fn payload(pieces: &[&'static str], then_hang: bool) -> Payload {
        let pieces: Vec<_> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let pieces = stream::iter(pieces);
        let stream = if then_hang {
            pieces.chain(stream::pending()).boxed_local()
        } else {
            pieces.boxed_local()
        };
        Payload::Stream { payload: stream }
    }

    async fn check(
        announced: Option<u64>,
        pieces: &[&'static str],
        then_hang: bool,
        expected: &str,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(bytes) = announced {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        let deadlines = BodyDeadlines { idle_ms: 20, total_ms: 40, min_bytes_per_second: 1_000 };
        let outcome = match read_body(&headers, payload(pieces, then_hang), 8, deadlines).await {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(BodyError::TooLarge { limit_bytes }) => format!("over {limit_bytes}"),
            Err(BodyError::TooSlow { received_bytes, .. }) => {
                format!("slow after {received_bytes}")
            }
            Err(BodyError::Broken(e)) => format!("broken: {e}"),
        };
        assert_eq!(outcome, expected, "{announced:?} {pieces:?}");
    }

    #[actix_web::test]
    async fn a_body_is_read_up_to_its_limit_and_no_slower_than_allowed() {
        check(None, &[], false, "").await;
        check(Some(5), &["hello"], false, "hello").await;
        check(None, &["1234", "5678"], false, "12345678").await;
        check(None, &["1234", "56789"], false, "over 8").await;
        // Nothing is read: the payload would hang.
        check(Some(9), &[], true, "over 8").await;
        check(Some(8), &["1234"], true, "slow after 4").await;
    }

    #[test]
    fn each_byte_received_earns_time_at_the_slowest_rate() {
        let deadlines =
            BodyDeadlines { idle_ms: 60_000, total_ms: 100, min_bytes_per_second: 1_000 };
        let start = Instant::now();
        assert_eq!(deadlines.next(start, 0) - start, Duration::from_millis(100));
        assert_eq!(deadlines.next(start, 5_000) - start, Duration::from_millis(5_100));
    }
}
