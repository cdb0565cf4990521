//! Which paths are described, and what holds for all of them.

use utoipa::OpenApi;
use web::{
    FieldError, ProblemBody,
    probes::{Health, Readiness},
};

use super::problems::{ApiKeys, Problems};
use crate::{agents, dead_letters, deliveries, events, names::ScopeName, runs, schedules, tasks};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Orchestrator",
        version = "1",
        description = "Coordinates a team of AI agents that grow code in git repositories.\n\n\
            Lists are pages: `nextCursor` of one is `cursor` of the next. A creation with an `Idempotency-Key` happens once: \
            the same request again is answered as the first was, with the header `Idempotency-Replayed: true`. Every error \
            is a problem (RFC 9457) whose `code` is stable.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        tasks::list, tasks::create, tasks::create_batch, tasks::dispatch_next, tasks::show, tasks::update, tasks::delete,
        tasks::dispatch, tasks::cancel, tasks::retry, tasks::history, tasks::metadata, tasks::patch_metadata,
        tasks::transcript,
        runs::list, runs::create, runs::show, runs::tasks, runs::events, runs::cancel, runs::pause, runs::resume,
        runs::retry,
        events::send,
        dead_letters::list, dead_letters::purge, dead_letters::size, dead_letters::replay,
        schedules::list, schedules::create, schedules::show, schedules::replace, schedules::update, schedules::delete,
        schedules::trigger,
        deliveries::list, deliveries::show, deliveries::redeliver,
        agents::list,
        health, ready, metrics, super::description,
    ),
    components(schemas(ProblemBody, FieldError, ScopeName, tasks::EventView)),
    tags(
        (name = "tasks", description = "One agent invocation each."),
        (name = "runs", description = "One piece of work each, from trigger to outcome."),
        (name = "events", description = "What CI jobs tell."),
        (name = "dead letters", description = "Tasks that failed for good."),
        (name = "schedules", description = "Rules that start runs over time."),
        (name = "deliveries", description = "Webhooks received, and what became of each."),
        (name = "agents", description = "Who is in the team."),
        (name = "service", description = "How the service is."),
    ),
    modifiers(&ApiKeys, &Problems),
)]
pub(super) struct Document;

/// Whether the process answers.
#[utoipa::path(
    get, path = "/health", operation_id = "getHealth", tag = "service",
    responses((status = 200, description = "It does.", body = Health)),
)]
#[expect(dead_code, reason = "web serves it; here it is described")]
fn health() {}

/// Whether it can do its work.
#[utoipa::path(
    get, path = "/ready", operation_id = "getReadiness", tag = "service",
    responses(
        (status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "It cannot, and why.", body = Readiness),
    ),
)]
#[expect(dead_code, reason = "web serves it; here it is described")]
fn ready() {}

/// What it measures, in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics", tag = "service",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain; version=0.0.4")),
)]
#[expect(dead_code, reason = "web serves it; here it is described")]
fn metrics() {}
