//! `GET /tasks/{id}/transcript`

use actix_web::{HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    ids::TaskId,
    transcript::{Speaker, Turn, TurnKind},
};
use serde::Serialize;
use store::tasks::AttemptTurn;
use utoipa::ToSchema;

use super::change::existing;
use crate::{
    answer::{self, List},
    app::App,
    auth::Reader,
    error::ApiError,
    names::{SpeakerName, TurnKindName},
    request::Id,
};

/// One turn of a conversation with a model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Turn)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnView {
    /// The attempt that it belongs to.
    attempt: i32,
    /// Position in the attempt, counted from 0.
    seq: i32,
    #[schema(value_type = TurnKindName)]
    kind: TurnKind,
    #[schema(value_type = SpeakerName)]
    role: Speaker,
    /// What was said; a long text is cut in its middle, and says so.
    content: String,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_out: Option<i64>,
    /// Milliseconds from the request to the end of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<i64>,
    at: DateTime<Utc>,
}

impl From<AttemptTurn> for TurnView {
    fn from(AttemptTurn { attempt, turn }: AttemptTurn) -> Self {
        let Turn { seq, kind, role, content, model, tokens_in, tokens_out, latency_ms, at } = turn;
        Self { attempt, seq, kind, role, content, model, tokens_in, tokens_out, latency_ms, at }
    }
}

/// Prompts, answers and tool calls of every attempt, in order, with what they cost.
#[utoipa::path(
    get, path = "/tasks/{id}/transcript", operation_id = "getTaskTranscript", tag = "tasks",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "Its transcript.", body = List<TurnView>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn transcript(
    _caller: Reader,
    app: Data<App>,
    Id(id): Id<TaskId>,
) -> Result<HttpResponse, ApiError> {
    let turns = app.store.transcript(id).await?;
    if turns.is_empty() {
        existing(&app, id).await?;
    }
    Ok(answer::list::<_, TurnView>(turns))
}
