//! A delivery whose signature has been checked.

use std::{rc::Rc, time::Instant};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::HeaderMap, web::Data};
use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture};
use github::{DeliveryHeaders, Signature};
use web::{BodyError, Problem, read_body};

use crate::{App, metrics, refusal::Refusal, room::Share};

/// A delivery that GitHub, or whoever knows the secret, has sent. There is no other way to a webhook's body.
pub(crate) struct VerifiedDelivery {
    pub(crate) headers: DeliveryHeaders,
    /// The bytes that were signed.
    pub(crate) body: Bytes,
    /// When the last of them had come.
    pub(crate) received: Instant,
    /// The room that the body takes until it is dealt with.
    _share: Share,
}

impl FromRequest for VerifiedDelivery {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        async move {
            let app = request
                .app_data::<Data<App>>()
                .expect("the route is made together with its app")
                .clone();
            let headers = request.headers();
            receive(&app, headers, payload).await.map_err(|refusal| {
                metrics::refused(event_of(headers), refusal.result());
                refusal.into()
            })
        }
        .boxed_local()
    }
}

/// Reads and verifies. What can be refused by its headers is refused before any of its body is read.
async fn receive(
    app: &App,
    headers: &HeaderMap,
    payload: Payload,
) -> Result<VerifiedDelivery, Refusal> {
    let pairs: Rc<[(&str, &[u8])]> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let signature = Signature::from_headers(pairs.iter().copied())?;
    let delivery = DeliveryHeaders::from_headers(pairs.iter().copied())?;
    let (payload, share) = app.room.measured(payload);
    let body = read_body(headers, payload, app.body_limit_bytes, app.body_deadlines).await;
    let body = body.map_err(|error| match error {
        BodyError::Broken(_) if share.was_refused() => Refusal::NoRoom,
        other @ (BodyError::Broken(_) | BodyError::TooLarge { .. } | BodyError::TooSlow { .. }) => {
            other.into()
        }
    })?;
    let received = Instant::now();
    app.secrets.verify(&signature, &body)?;
    faults::point!("webhook.verify.after");
    Ok(VerifiedDelivery { headers: delivery, body, received, _share: share })
}

/// The event that an unverified request claims, for the metric.
fn event_of(headers: &HeaderMap) -> &'static str {
    let claimed = headers.get("x-github-event").and_then(|value| value.to_str().ok());
    github::event_label(claimed.unwrap_or_default())
}
