//! How answers are written.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};
use serde::Serialize;
use utoipa::ToSchema;
use web::Page;

use crate::cursor;

/// Says that an earlier answer to the same Idempotency-Key is given again.
pub(crate) static IDEMPOTENCY_REPLAYED: HeaderName =
    HeaderName::from_static("idempotency-replayed");

/// A list that is given whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
}

/// 200.
pub(crate) fn ok(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

/// 200 with everything.
pub(crate) fn list<D, V: From<D> + Serialize>(items: Vec<D>) -> HttpResponse {
    ok(&List { items: items.into_iter().map(V::from).collect::<Vec<_>>() })
}

/// 200 with one page.
pub(crate) fn page<D, V: From<D> + Serialize>(page: store::Page<D>) -> HttpResponse {
    ok(&Page {
        items: page.items.into_iter().map(V::from).collect::<Vec<_>>(),
        next_cursor: page.next.as_ref().map(cursor::encode),
    })
}

/// 201, where it is, and whether this was said before.
pub(crate) fn created(location: &str, replayed: bool, body: &impl Serialize) -> HttpResponse {
    made(HttpResponse::Created(), Some(location), replayed).json(body)
}

/// 202, where the run is that follows, if one does.
pub(crate) fn accepted(
    location: Option<&str>,
    replayed: bool,
    body: &impl Serialize,
) -> HttpResponse {
    made(HttpResponse::Accepted(), location, replayed).json(body)
}

/// 204.
pub(crate) fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

fn made(
    mut builder: actix_web::HttpResponseBuilder,
    location: Option<&str>,
    replayed: bool,
) -> actix_web::HttpResponseBuilder {
    faults::point!("gateway.answer.before");
    if let Some(location) = location {
        builder.insert_header((header::LOCATION, location));
    }
    if replayed {
        builder.insert_header((IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true")));
    }
    builder
}
