//! Who carries tasks out: a model server, or the stub where nobody chose and no server is there.

use std::{sync::Arc, time::Duration};

use agent_executor::{AgentExecutor, ExecutorSettings, settings::ExecutorKind};
use anyhow::Context;
use api_gateway::AgentDescription;
use domain::role::Role;
use llm::Error;

use super::args::models;

/// How long to wait for a model server that may not be there.
const PROBE: Duration = Duration::from_secs(1);

/// The executor, and what the start says of it.
pub(super) struct Agents {
    pub(super) executor: Arc<dyn AgentExecutor>,
    pub(super) settings: ExecutorSettings,
    /// `local` or `stub`.
    pub(super) name: &'static str,
    /// What runs agents, in words.
    pub(super) words: String,
    /// What the operator should know or do.
    pub(super) advice: Option<String>,
}

impl Agents {
    /// Asks the model server whether it is there.
    ///
    /// # Errors
    /// The server cannot be used; policy forbids it, by its name or by the address behind it.
    pub(super) async fn choose(settings: ExecutorSettings) -> anyhow::Result<Self> {
        if settings.executor == ExecutorKind::Stub {
            let words = "the stub executor, as ORCH_AGENT_EXECUTOR says: no model is asked, every answer is made up";
            return Self::stub(settings, words.to_owned(), None);
        }
        let client = agent_executor::client(&settings).context("prepare the agents")?;
        match client.probe(PROBE).await {
            Ok(served) => {
                let missing = missing(&settings, &served);
                let advice = (!missing.is_empty()).then(|| advice_on_models(&missing, &served));
                Self::local(settings, advice)
            }
            Err(error @ Error::PolicyViolation(_)) => Err(error).context("use the model server"),
            Err(error) if settings.explicit || is_there(&error) => {
                let advice = format!("{error}: until that changes, tasks fail");
                Self::local(settings, Some(advice))
            }
            Err(error) => {
                let server = settings.endpoint.server();
                let words = format!(
                    "the stub executor, because no model server answers at {server}: no model is asked, every answer is made up"
                );
                tracing::warn!(%error, "The stub executor is used: no model server answers at {server}");
                let advice = "Start a model server (LOCAL_LLM_URL says where) and start again for real answers; \
                              ORCH_AGENT_EXECUTOR=local insists on it.";
                Self::stub(settings, words, Some(advice.to_owned()))
            }
        }
    }

    fn local(settings: ExecutorSettings, advice: Option<String>) -> anyhow::Result<Self> {
        let words = format!("{} at {}", models(&settings).join(", "), settings.endpoint.server());
        let executor = agent_executor::build(&settings).context("prepare the agents")?;
        Ok(Self { executor, settings, name: ExecutorKind::Local.name(), words, advice })
    }

    fn stub(
        settings: ExecutorSettings,
        words: String,
        advice: Option<String>,
    ) -> anyhow::Result<Self> {
        let settings = ExecutorSettings { executor: ExecutorKind::Stub, ..settings };
        let executor = agent_executor::build(&settings).context("prepare the agents")?;
        Ok(Self { executor, settings, name: ExecutorKind::Stub.name(), words, advice })
    }

    /// What `GET /agents` says of each role.
    pub(super) fn describe(&self) -> Vec<AgentDescription> {
        let describe = |role: &Role| AgentDescription {
            role: *role,
            executor: self.name.to_owned(),
            model: self.executor.describe(*role).model,
            tools: self.settings.tools.allowlist.clone(),
        };
        Role::ALL.iter().map(describe).collect()
    }
}

/// Whether something that could be a model server answered, so that a stub in its place would hide a mistake.
fn is_there(error: &Error) -> bool {
    match error {
        Error::Rejected { status, .. } => matches!(status, 401 | 403),
        Error::RateLimited { .. } | Error::Status { .. } => true,
        Error::Unreachable { .. }
        | Error::Timeout { .. }
        | Error::Redirected { .. }
        | Error::ContextExceeded { .. }
        | Error::Interrupted { .. }
        | Error::Malformed { .. }
        | Error::TooLarge { .. }
        | Error::PolicyViolation(_)
        | Error::Unusable { .. } => false,
    }
}

/// Models that are configured and that the server does not list.
pub(crate) fn missing<'s>(settings: &'s ExecutorSettings, served: &[String]) -> Vec<&'s str> {
    let is_served =
        |model: &&str| served.iter().any(|it| it == model || *it == format!("{model}:latest"));
    models(settings).into_iter().filter(|model| !is_served(model)).collect()
}

/// What to do about models that are missing.
pub(crate) fn advice_on_models(missing: &[&str], served: &[String]) -> String {
    let has = if served.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", served.join(", "))
    };
    format!(
        "The model server does not list {}; {has}. Fetch it (`ollama pull {}`) or set LOCAL_LLM_MODEL.",
        missing.join(", "),
        missing.first().unwrap_or(&"MODEL")
    )
}
