//! How requests are read: the extractors of the web crate under the names that handlers use, pages, and Idempotency-Keys.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use bytes::Bytes;
use domain::limits::{PAGE_ROWS, PAGE_ROWS_DEFAULT};
use futures_util::{FutureExt, TryFutureExt, future::LocalBoxFuture};
use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use store::{PageRequest, runs::Guard};
use web::{FieldError, Problem};

pub(crate) use web::{Path as Id, Query as Parameters};

use crate::{
    auth::Caller,
    cursor::{self, Ids},
    error::ApiError,
    object::Object,
};

/// A body that is an object.
pub(crate) struct Body<T>(pub(crate) T);

/// A body that is an object, beside the bytes that it came as.
pub(crate) struct RawBody<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

/// A body that is an object, and may be left out, or null.
pub(crate) struct MaybeBody<T>(pub(crate) Option<T>);

type Reading<T> = LocalBoxFuture<'static, Result<T, Problem>>;

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        web::Json::<Object<T>>::from_request(request, payload)
            .map_ok(|web::Json(Object(body))| Self(body))
            .boxed_local()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for RawBody<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        web::RawJson::<Object<T>>::from_request(request, payload)
            .map_ok(|raw| Self { value: raw.value.0, bytes: raw.bytes })
            .boxed_local()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for MaybeBody<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        web::MaybeJson::<Option<Object<T>>>::from_request(request, payload)
            .map_ok(|web::MaybeJson(body)| Self(body.flatten().map(|Object(body)| body)))
            .boxed_local()
    }
}

/// The header that makes a creation happen once.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of an Idempotency-Key.
pub(crate) const IDEMPOTENCY_KEY_CHARS: usize = 255;

/// What a request with an Idempotency-Key is recognised by; nothing where it has none.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    key: Option<String>,
    /// Method and path.
    route: String,
}

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let route = || format!("{} {}", request.method(), request.path());
        let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
        let Some(value) = values.next() else {
            return ready(Ok(Self { key: None, route: String::new() }));
        };
        let text = value.to_str().unwrap_or_default();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let whole = (1..=IDEMPOTENCY_KEY_CHARS).contains(&text.len());
        if !visible || !whole || values.next().is_some() {
            let detail = "send one key of 1 to 255 visible ASCII characters";
            return ready(Err(ApiError::InvalidHeader { field: "Idempotency-Key", detail }));
        }
        ready(Ok(Self { key: Some(text.to_owned()), route: route() }))
    }
}

impl IdempotencyKey {
    pub(crate) fn is_given(&self) -> bool {
        self.key.is_some()
    }

    /// What makes a creation by this caller, from this body, happen once.
    pub(crate) fn guard(self, caller: &Caller, body: &[u8]) -> Guard {
        let Some(key) = self.key else { return Guard::None };
        let mut digest = Context::new(&SHA256);
        digest.update(self.route.as_bytes());
        digest.update(b"\n");
        digest.update(body);
        Guard::Idempotency {
            principal: caller.principal(),
            key,
            fingerprint: digest.finish().as_ref().to_vec(),
        }
    }
}

/// Which page a client asks for.
///
/// # Errors
/// 400 that names `limit` or `cursor`.
pub(crate) fn page(
    cursor: Option<&str>,
    limit: Option<u32>,
    ids: Ids,
) -> Result<PageRequest, Problem> {
    let limit = limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS).contains(&limit) {
        return Err(refused_parameter("limit", format!("use 1 to {PAGE_ROWS}")));
    }
    let after = cursor.map(|cursor| cursor::decode(cursor, ids)).transpose()?;
    Ok(PageRequest { after, limit })
}

/// 400 for a query parameter that is understood, and wrong.
pub(crate) fn refused_parameter(name: &str, detail: String) -> Problem {
    Problem::bad_request("invalid_query", format!("query parameter `{name}`: {detail}"))
        .with_error(FieldError::new(name, detail))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    async fn read(values: &[&str]) -> Result<IdempotencyKey, ApiError> {
        let mut request = TestRequest::post().uri("/tasks");
        for value in values {
            request = request.append_header((IDEMPOTENCY_KEY, *value));
        }
        IdempotencyKey::extract(&request.to_http_request()).await
    }

    #[actix_web::test]
    async fn a_key_is_one_header_of_visible_characters() {
        for (values, accepted) in [
            (vec![], true),
            (vec!["a-1"], true),
            (vec![&*"x".repeat(255)], true),
            (vec![&*"x".repeat(256)], false),
            (vec![""], false),
            (vec!["a b"], false),
            (vec!["a", "a"], false),
        ] {
            assert_eq!(read(&values).await.is_ok(), accepted, "{values:?}");
        }
    }

    #[actix_web::test]
    async fn route_and_body_make_the_fingerprint() {
        let guard = |body: &'static [u8]| async move {
            read(&["k"]).await.unwrap().guard(&Caller::Anonymous, body)
        };
        let first = guard(b"{}").await;
        assert_eq!(first, guard(b"{}").await);
        assert_ne!(first, guard(b"{ }").await);
    }

    #[test]
    fn a_page_has_bounds() {
        let whole = PageRequest { after: None, limit: PAGE_ROWS_DEFAULT };
        assert_eq!(page(None, None, Ids::Uuids).unwrap(), whole);
        for limit in [0, PAGE_ROWS + 1] {
            assert_eq!(
                page(None, Some(limit), Ids::Uuids).unwrap_err().body().errors[0].field,
                "limit"
            );
        }
    }
}
