//! Webhook deliveries.

use domain::delivery::{Delivery, DeliveryStatus};

use crate::{Page, PageRequest, operations::operations};

/// Which deliveries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub event: Option<String>,
    pub status: Option<DeliveryStatus>,
    pub repository: Option<String>,
}

/// A stored delivery with its body, as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDelivery {
    pub delivery: Delivery,
    pub payload: Vec<u8>,
}

/// What became of a wish to take a delivery again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// webhook-ingest will take it.
    Requested(Delivery),
    /// Somebody asked for it already; it is about to be taken.
    Pending(Delivery),
    Missing,
}

operations! {
    read list_deliveries(filter: DeliveryFilter, page: PageRequest) -> Page<Delivery> = deliveries::list;

    read find_delivery(id: String) -> Option<StoredDelivery> = deliveries::find;

    /// Marks a delivery to be taken again.
    write request_redelivery(id: String) -> Redelivery = deliveries::request_redelivery;

    /// Up to `limit` deliveries that wait to be taken again, the oldest first. Creating with
    /// [`Guard::Redelivery`](crate::runs::Guard::Redelivery) decides who takes each.
    read redeliveries(limit: u32) -> Vec<StoredDelivery> = deliveries::redeliveries;
}
