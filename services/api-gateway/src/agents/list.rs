//! `GET /agents`

use actix_web::{HttpResponse, web::Data};
use domain::{
    registry::{AGENTS, AgentEntry},
    role::Role,
    task::TaskKind,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::settings::AgentDescription;
use crate::{
    answer::{self, List},
    app::App,
    auth::Reader,
    error::ApiError,
    names::{RoleName, TaskKindName},
};

/// A role: what it is for, what it may do, and what runs it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Agent {
    #[schema(value_type = RoleName)]
    role: Role,
    purpose: &'static str,
    /// What it is shown.
    reads: Vec<&'static str>,
    /// What it may change, through the system.
    writes: Vec<&'static str>,
    /// The name of its typed output.
    output: &'static str,
    /// The workflow steps that it does.
    #[schema(value_type = Vec<TaskKindName>)]
    kinds: Vec<TaskKind>,
    /// What runs it.
    executor: Option<String>,
    /// The model that is asked; null where none is.
    model: Option<String>,
    /// The tools that it may use.
    tools: Vec<String>,
}

impl Agent {
    fn of(entry: &AgentEntry, description: Option<&AgentDescription>) -> Self {
        Self {
            role: entry.role,
            purpose: entry.purpose,
            reads: entry.reads.to_vec(),
            writes: entry.writes.to_vec(),
            output: entry.output,
            kinds: entry.kinds.to_vec(),
            executor: description.map(|it| it.executor.clone()),
            model: description.and_then(|it| it.model.clone()),
            tools: description.map(|it| it.tools.clone()).unwrap_or_default(),
        }
    }
}

/// The registry of agents.
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents", tag = "agents",
    responses((status = 200, description = "Every role.", body = List<Agent>)),
    security(("apiKey" = ["read"])),
)]
pub(crate) async fn list(_caller: Reader, app: Data<App>) -> Result<HttpResponse, ApiError> {
    let described = |role: Role| app.agents.iter().find(|it| it.role == role);
    let items = AGENTS.iter().map(|entry| Agent::of(entry, described(entry.role))).collect();
    Ok(answer::ok(&List { items }))
}
