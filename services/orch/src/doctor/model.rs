//! The model server: whether policy allows it, whether it answers, and whether it has the models.

use std::time::Duration;

use agent_executor::{ExecutorArgs, ExecutorSettings, settings::ExecutorKind};

use super::Finding;
use crate::dev::{advice_on_models, missing_models};

const NAME: &str = "model server";

/// Nothing where the settings are wrong: that has been said already.
pub(super) async fn check(args: &ExecutorArgs, patience: Duration) -> Vec<Finding> {
    let Ok(settings) = args.clone().parse() else { return Vec::new() };
    if settings.executor == ExecutorKind::Stub {
        return vec![Finding::ok(NAME, "none is asked: ORCH_AGENT_EXECUTOR is stub")];
    }
    let server = settings.endpoint.server();
    let policy =
        Finding::ok("model policy", format!("{} allows {server}", settings.policy.kind.name()));
    vec![policy, ask(&settings, &server, patience).await]
}

async fn ask(settings: &ExecutorSettings, server: &str, patience: Duration) -> Finding {
    let client = match agent_executor::client(settings) {
        Ok(client) => client,
        Err(error) => {
            return Finding::broken(
                NAME,
                error.to_string(),
                "Check LOCAL_LLM_URL and ORCH_LLM_POLICY.",
            );
        }
    };
    match client.probe(patience).await {
        Ok(served) => match missing_models(settings, &served).as_slice() {
            [] => Finding::ok(NAME, format!("{server} answers and has every model")),
            missing => Finding::warning(
                NAME,
                format!("{server} answers"),
                advice_on_models(missing, &served),
            ),
        },
        Err(error @ llm::Error::PolicyViolation(_)) => Finding::broken(
            NAME,
            error.to_string(),
            "Check LOCAL_LLM_ALLOWED_HOSTS and ORCH_LLM_POLICY.",
        ),
        Err(error) if settings.explicit => Finding::broken(
            NAME,
            error.to_string(),
            "Start it, or check LOCAL_LLM_URL; ORCH_AGENT_EXECUTOR=stub works without.",
        ),
        Err(error) => Finding::warning(
            NAME,
            error.to_string(),
            "`orch dev` then uses the stub executor, which makes answers up; a worker of its own needs the server.",
        ),
    }
}
