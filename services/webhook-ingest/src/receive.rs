//! `POST /webhooks/github`.

use actix_web::{HttpResponse, web::Data};
use domain::delivery::NewDelivery;
use github::Envelope;
use serde::Serialize;
use web::Problem;

use crate::{App, delivery::VerifiedDelivery, intake::Receipt, metrics, refusal::Refusal, text};

/// Takes a delivery: its row is in the store before the answer is sent.
pub(crate) async fn receive(
    app: Data<App>,
    delivery: VerifiedDelivery,
) -> Result<HttpResponse, Problem> {
    let event = github::event_label(&delivery.headers.event);
    let outcome = record(&app, &delivery).await;
    faults::point!("webhook.answer.before");
    let result = outcome.as_ref().map_or_else(Refusal::result, |receipt| receipt.status.name());
    metrics::answered(event, result, delivery.received.elapsed());
    let receipt = outcome?;
    tracing::info!(
        delivery.id = delivery.headers.delivery_id,
        delivery.event = event,
        run.id = receipt.run_id.map(tracing::field::display),
        "Delivery {} ({event}): {result}",
        delivery.headers.delivery_id,
    );
    Ok(HttpResponse::Accepted()
        .json(Answer { delivery_id: &delivery.headers.delivery_id, receipt: &receipt }))
}

/// What the sender reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    delivery_id: &'a str,
    #[serde(flatten)]
    receipt: &'a Receipt,
}

async fn record(app: &App, delivery: &VerifiedDelivery) -> Result<Receipt, Refusal> {
    let headers = &delivery.headers;
    let json = github::payload_json(headers.content_type.as_deref(), &delivery.body)?;
    let envelope = github::parse(&headers.event, &json)?;
    // The target is an App only where it says so: it may be a repository or an organization.
    let target =
        headers.target_id.filter(|_| headers.target_type.as_deref() == Some("integration"));
    let decision = app.rules.decide(&headers.delivery_id, target, &envelope);
    let row = row(&headers.delivery_id, &envelope, delivery.body.to_vec());
    let recorded = tokio::time::timeout(app.answer_within, app.intake.record(row, decision));
    recorded.await.unwrap_or(Err(Refusal::TooLate))
}

fn row(id: &str, envelope: &Envelope, payload: Vec<u8>) -> NewDelivery {
    NewDelivery {
        id: id.to_owned(),
        event: text::line(&envelope.event),
        action: envelope.action.as_deref().map(text::line),
        repository: envelope.repository.as_ref().map(|it| text::line(&it.full_name)),
        sender: envelope.sender.as_ref().map(|it| text::line(&it.login)),
        installation_id: envelope.installation_id,
        payload,
        skip_reason: None,
    }
}
