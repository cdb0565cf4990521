//! `GET /deliveries`

use actix_web::{HttpResponse, web::Data};
use domain::delivery::DeliveryStatus;
use serde::Deserialize;
use store::deliveries::DeliveryFilter;
use utoipa::IntoParams;
use web::Page;

use super::view::DeliveryView;
use crate::{
    answer,
    app::App,
    auth::Reader,
    cursor::Ids,
    error::ApiError,
    names::DeliveryStatusName,
    request::{Parameters, page},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListDeliveries {
    /// GitHub's name of the event, as `issues`.
    event: Option<String>,
    #[param(value_type = Option<DeliveryStatusName>, inline)]
    status: Option<DeliveryStatus>,
    /// `owner/name`.
    repository: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Deliveries on a page; default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Webhook deliveries, the newest first.
#[utoipa::path(
    get, path = "/deliveries", operation_id = "listDeliveries", tag = "deliveries",
    params(ListDeliveries),
    responses((status = 200, description = "A page of deliveries.", body = Page<DeliveryView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn list(
    _caller: Reader,
    app: Data<App>,
    Parameters(query): Parameters<ListDeliveries>,
) -> Result<HttpResponse, ApiError> {
    let page = page(query.cursor.as_deref(), query.limit, Ids::Texts)?;
    let filter =
        DeliveryFilter { event: query.event, status: query.status, repository: query.repository };
    Ok(answer::page::<_, DeliveryView>(app.store.list_deliveries(filter, page).await?))
}
