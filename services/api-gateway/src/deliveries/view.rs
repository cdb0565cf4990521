//! A delivery as clients see it.

use chrono::{DateTime, Utc};
use domain::{
    delivery::{Delivery, DeliveryStatus},
    ids::RunId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::names::DeliveryStatusName;

/// One webhook delivery as it was received.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryView {
    /// GitHub's `X-GitHub-Delivery`.
    id: String,
    event: String,
    action: Option<String>,
    repository: Option<String>,
    sender: Option<String>,
    installation_id: Option<i64>,
    #[schema(value_type = DeliveryStatusName)]
    status: DeliveryStatus,
    /// Why it was skipped, if it was.
    reason: Option<String>,
    /// The newest run that it started.
    #[schema(value_type = Option<Uuid>)]
    run_id: Option<RunId>,
    /// Bytes of the body as received.
    size: i64,
    redeliveries: i32,
    received_at: DateTime<Utc>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event,
            action: delivery.action,
            repository: delivery.repository,
            sender: delivery.sender,
            installation_id: delivery.installation_id,
            status: delivery.status,
            reason: delivery.reason,
            run_id: delivery.run_id,
            size: delivery.size,
            redeliveries: delivery.redeliveries,
            received_at: delivery.received_at,
        }
    }
}
