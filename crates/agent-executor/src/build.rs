//! From settings to an executor.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::role::Role;
use llm::{Client, ClientSettings, Error, Model};

use crate::{
    AgentExecutor, ExecutorSettings, LlmExecutor, RoutedAgentExecutor, StubExecutor,
    settings::ExecutorKind,
};

/// How long to wait for a model server that may not be there.
const PROBE: Duration = Duration::from_secs(1);

/// The executor that the settings ask for. A model server that cannot be used is an error, never a stub instead.
pub fn build(settings: &ExecutorSettings) -> Result<Arc<dyn AgentExecutor>, Error> {
    match settings.executor {
        ExecutorKind::Stub => Ok(Arc::new(StubExecutor::new(settings.response_format))),
        ExecutorKind::Local => {
            let model: Arc<dyn Model> = Arc::new(client(settings)?);
            let executor = |name: &str| -> Arc<dyn AgentExecutor> {
                Arc::new(LlmExecutor::new(Arc::clone(&model), settings.model_settings(name)))
            };
            let routes: BTreeMap<Role, _> =
                settings.role_models.iter().map(|(role, name)| (*role, executor(name))).collect();
            let fallback = executor(&settings.model);
            if routes.is_empty() {
                return Ok(fallback);
            }
            Ok(Arc::new(RoutedAgentExecutor::new(routes, fallback)))
        }
    }
}

/// A client of the model server, for probes by readiness and diagnosis ([`Client::probe`]).
pub fn client(settings: &ExecutorSettings) -> Result<Client, Error> {
    Client::new(ClientSettings {
        endpoint: settings.endpoint.clone(),
        format: settings.api,
        api_key: settings.api_key.clone(),
        policy: settings.policy.clone(),
        limits: settings.limits,
        context_tokens: settings.context_tokens,
        concurrency: settings.concurrency,
    })
}

/// Whether a model server answers at the configured place, within a second.
pub async fn model_server_answers(settings: &ExecutorSettings) -> bool {
    match client(settings) {
        Ok(client) => client.probe(PROBE).await.is_ok(),
        Err(_unusable) => false,
    }
}
