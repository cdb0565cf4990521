//! `POST /deliveries/{id}/redeliver`

use actix_web::{HttpResponse, web::Data};
use store::deliveries::Redelivery;

use super::view::DeliveryView;
use crate::{answer, app::App, auth::Writer, error::ApiError, request::Id};

/// Has a delivery taken again, by webhook-ingest, soon. Asking twice before that is asking once.
#[utoipa::path(
    post, path = "/deliveries/{id}/redeliver", operation_id = "redeliver", tag = "deliveries",
    params(("id" = String, Path)),
    responses((status = 202, description = "It will be taken again.", body = DeliveryView)),
    security(("apiKey" = ["write"])),
)]
pub(crate) async fn redeliver(
    _caller: Writer,
    app: Data<App>,
    Id(id): Id<String>,
) -> Result<HttpResponse, ApiError> {
    match app.store.request_redelivery(id.clone()).await? {
        Redelivery::Requested(delivery) | Redelivery::Pending(delivery) => {
            Ok(answer::accepted(None, false, &DeliveryView::from(delivery)))
        }
        Redelivery::Missing => Err(ApiError::DeliveryNotFound(id)),
    }
}
