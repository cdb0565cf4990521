//! `GET /deliveries/{id}`

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use serde_json::value::RawValue;
use store::deliveries::StoredDelivery;
use utoipa::ToSchema;

use super::view::DeliveryView;
use crate::{answer, app::App, auth::Reader, error::ApiError, request::Id};

/// A delivery with its body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryWithPayload {
    delivery: DeliveryView,
    /// The body as it was received; null where it is no JSON.
    #[schema(value_type = serde_json::Value)]
    payload: Option<Box<RawValue>>,
}

impl From<StoredDelivery> for DeliveryWithPayload {
    fn from(StoredDelivery { delivery, payload }: StoredDelivery) -> Self {
        let text = String::from_utf8(payload).ok();
        Self {
            delivery: delivery.into(),
            payload: text.and_then(|text| RawValue::from_string(text).ok()),
        }
    }
}

/// One delivery with its body.
#[utoipa::path(
    get, path = "/deliveries/{id}", operation_id = "getDelivery", tag = "deliveries",
    params(("id" = String, Path)),
    responses((status = 200, description = "The delivery.", body = DeliveryWithPayload)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn show(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<String>,
) -> Result<HttpResponse, ApiError> {
    let found = app.store.find_delivery(id.clone()).await?;
    Ok(answer::ok(&DeliveryWithPayload::from(found.ok_or(ApiError::DeliveryNotFound(id))?)))
}
