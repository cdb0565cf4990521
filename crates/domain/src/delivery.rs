//! Webhook deliveries as they were received.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{ids::RunId, named_enum};

named_enum! {
    /// What became of a delivery.
    pub enum DeliveryStatus ("delivery status") {
        /// It started a run.
        Accepted = "accepted",
        /// It was recorded; no rule starts work for it.
        Skipped = "skipped",
        /// Somebody asked to take it again; it waits for that.
        Redelivering = "redelivering",
    }
}

/// A delivery to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// GitHub's `X-GitHub-Delivery`.
    pub id: String,
    pub event: String,
    pub action: Option<String>,
    pub repository: Option<String>,
    pub sender: Option<String>,
    pub installation_id: Option<i64>,
    /// The raw body as it was signed.
    pub payload: Vec<u8>,
    /// Why no run follows, where none does.
    pub skip_reason: Option<String>,
}

/// A delivery as it is listed, without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub id: String,
    pub event: String,
    pub action: Option<String>,
    pub repository: Option<String>,
    pub sender: Option<String>,
    pub installation_id: Option<i64>,
    pub status: DeliveryStatus,
    /// Why it was skipped, if it was.
    pub reason: Option<String>,
    /// The newest run that it started.
    pub run_id: Option<RunId>,
    /// Bytes of the body as received.
    pub size: i64,
    pub redeliveries: i32,
    pub received_at: DateTime<Utc>,
}
