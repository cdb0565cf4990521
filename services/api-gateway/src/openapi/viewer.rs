//! A page that shows the description and tries requests. It is served whole from here and loads nothing from elsewhere.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
    web::{self as actix, Data, ServiceConfig},
};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::{error::ApiError, request::Id};

/// Nothing but this server may be asked for anything. The page sets styles by itself, and shows small pictures from itself.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Adds `/docs`.
pub(super) fn mount(config: &mut ServiceConfig) {
    // Without a validator, which would send the description to a server of the page's makers.
    let viewer = Config::from("/openapi.json").validator_url("none").persist_authorization(false);
    config
        .app_data(Data::new(Arc::new(viewer)))
        .route("/docs", actix::get().to(to_page))
        .route("/docs/{file:.*}", actix::get().to(file));
}

/// Links of the page are relative to `/docs/`.
async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

async fn file(
    viewer: Data<Arc<Config<'static>>>,
    Id(name): Id<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let found = utoipa_swagger_ui::serve(&name, Arc::clone(&viewer));
    let found =
        found.map_err(|_unreadable| ApiError::Bug("a file of the viewer cannot be read"))?;
    found.map(answer).ok_or_else(|| {
        web::Problem::not_found("no_such_path", "nothing is served at this path")
            .with_instance(request.path())
            .into()
    })
}

fn answer(file: SwaggerFile<'_>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .body(file.bytes.into_owned())
}
