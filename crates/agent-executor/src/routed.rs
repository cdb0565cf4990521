//! One executor for each role.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use domain::role::Role;
use tokio_util::sync::CancellationToken;

use crate::{AgentExecutor, Assignment, Description, ExecutionError, Progress, Report};

/// Hands each assignment to the executor of its role, or to the fallback of roles that have none.
pub struct RoutedAgentExecutor {
    routes: BTreeMap<Role, Arc<dyn AgentExecutor>>,
    fallback: Arc<dyn AgentExecutor>,
}

impl RoutedAgentExecutor {
    pub fn new(
        routes: BTreeMap<Role, Arc<dyn AgentExecutor>>,
        fallback: Arc<dyn AgentExecutor>,
    ) -> Self {
        Self { routes, fallback }
    }

    fn of(&self, role: Role) -> &dyn AgentExecutor {
        self.routes.get(&role).unwrap_or(&self.fallback).as_ref()
    }
}

#[async_trait]
impl AgentExecutor for RoutedAgentExecutor {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Report, ExecutionError> {
        self.of(assignment.role).execute(assignment, progress, cancel).await
    }

    fn describe(&self, role: Role) -> Description {
        self.of(role).describe(role)
    }
}
