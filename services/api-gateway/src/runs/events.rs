//! `GET /runs/{id}/events`

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_ENCODING},
    web::Data,
};
use domain::ids::RunId;
use utoipa::ToSchema;

use super::{change::existing, stream};
use crate::{app::App, auth::Reader, error::ApiError, request::Id};

const LAST_EVENT_ID: &str = "Last-Event-ID";

/// One event of the stream, by the names of its lines.
#[derive(ToSchema)]
#[expect(dead_code, reason = "events are written line by line")]
pub(crate) struct StreamedEvent {
    /// What `Last-Event-ID` goes on from.
    id: Option<String>,
    /// The kind of what happened, or `end`.
    event: String,
    /// A `HistoryEvent` as JSON; at the `end`, the run's id and status.
    data: String,
}

/// What happens to a run, as it happens (Server-Sent Events): first what has happened already, then what follows, then, after
/// the run's end, an event `end`. The name of each event is its kind, its data a `HistoryEvent`. A client that was cut off
/// goes on with `Last-Event-ID` and misses nothing.
#[utoipa::path(
    get, path = "/runs/{id}/events", operation_id = "streamRunEvents", tag = "runs",
    params(("id" = Uuid, Path), ("Last-Event-ID" = Option<i64>, Header, minimum = 0)),
    responses((status = 200, description = "The stream.", body = StreamedEvent, content_type = "text/event-stream")),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn events(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<RunId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let after = last_event_id(&request)?;
    let run = existing(&app, id).await?;
    let place = Arc::clone(&app.streams).try_acquire_owned();
    let most = usize::try_from(app.settings.args.max_streams).unwrap_or(usize::MAX);
    let place = place.map_err(|_none_left| ApiError::TooManyStreams(most))?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Nobody between may gather what is to arrive at once.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream::open(app, run, after, place)))
}

/// The event after which a client goes on; none for one that begins.
fn last_event_id(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let Some(value) = request.headers().get(LAST_EVENT_ID) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|id| *id >= 0);
    let detail = "send the id of an event that this stream sent before";
    id.map(Some).ok_or(ApiError::InvalidHeader { field: LAST_EVENT_ID, detail })
}
