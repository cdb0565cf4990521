//! The description of this API (OpenAPI 3.1), and a page that shows it.

mod details;
mod document;
mod problems;
mod viewer;

#[cfg(test)]
mod tests;

use actix_web::{
    HttpResponse,
    web::{Data, ServiceConfig, get, resource},
};
use bytes::Bytes;
use utoipa::OpenApi;
use web::problem::only;

use crate::app::App;

/// The description as it is served, where local repositories are allowed or not.
///
/// # Panics
/// Never: it holds nothing that JSON cannot.
pub(crate) fn as_json(allow_local: bool) -> Bytes {
    const REASON: &str = "a description holds strings, numbers and lists";
    let mut document = serde_json::to_value(document::Document::openapi()).expect(REASON);
    details::add(&mut document, allow_local);
    serde_json::to_vec(&document).expect(REASON).into()
}

/// Adds `/openapi.json` and `/docs`. They tell nothing about what is stored, so nobody needs a key for them.
pub(crate) fn mount(config: &mut ServiceConfig) {
    config.service(
        resource("/openapi.json").route(get().to(description)).default_service(only("GET")),
    );
    viewer::mount(config);
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getDescription", tag = "service",
    responses((status = 200, description = "The description.", body = Object)),
)]
pub(crate) async fn description(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(app.description.clone())
}
