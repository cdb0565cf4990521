//! What an operator sets about agents and models: read once, at start, every wrong value named in one message.

mod args;
mod error;
mod parse;
mod reader;
mod tools;

use std::{collections::BTreeMap, time::Duration};

use domain::{named_enum, role::Role};
use llm::{Endpoint, Limits, Policy, WireFormat};
use secrecy::SecretString;

pub use args::ExecutorArgs;
pub use error::{SettingError, SettingErrors};
pub use reader::Reader;
pub use tools::ToolSettings;

use crate::ModelSettings;

named_enum! {
    /// `ORCH_AGENT_EXECUTOR`: who carries tasks out.
    pub enum ExecutorKind ("executor") {
        /// A model server that the operator runs or names.
        Local = "local",
        /// No model at all.
        Stub = "stub",
    }
}

named_enum! {
    /// `LOCAL_LLM_ERROR_MODE`: what becomes of a task whose model server fails in a way that may pass. A server that asks
    /// for patience is waited for in both.
    pub enum ErrorMode ("error mode") {
        /// The task fails with the error.
        Fail = "fail",
        /// The worker retries with backoff.
        Throw = "throw",
    }
}

named_enum! {
    /// `ORCH_LLM_RESPONSE_FORMAT`: the form of free answers.
    pub enum ResponseFormat ("response format") {
        Text = "text",
        StructuredJson = "structured-json",
    }
}

/// Everything that can be set about agents and models, valid.
#[derive(Clone, Debug)]
pub struct ExecutorSettings {
    pub executor: ExecutorKind,
    /// Whether `ORCH_AGENT_EXECUTOR` was set at all; then it is never replaced.
    pub explicit: bool,
    pub api: WireFormat,
    pub endpoint: Endpoint,
    pub api_key: Option<SecretString>,
    pub model: String,
    /// Models of roles that have their own.
    pub role_models: BTreeMap<Role, String>,
    pub temperature: f64,
    pub max_tokens: u32,
    pub context_tokens: u32,
    pub limits: Limits,
    pub concurrency: Option<usize>,
    pub error_mode: ErrorMode,
    pub policy: Policy,
    pub response_format: ResponseFormat,
    /// Whether readiness asks the model server.
    pub check_llm: bool,
    pub tools: ToolSettings,
}

impl ExecutorSettings {
    /// The model that a role's tasks are given to.
    pub fn model_of(&self, role: Role) -> &str {
        self.role_models.get(&role).unwrap_or(&self.model)
    }

    /// How the model of this name is asked.
    pub(crate) fn model_settings(&self, name: &str) -> ModelSettings {
        ModelSettings {
            name: name.to_owned(),
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            context_tokens: self.context_tokens,
            error_mode: self.error_mode,
            response_format: self.response_format,
        }
    }

    /// What the operator should know at start, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.tools.allowlist.is_empty() {
            warnings
                .push("ORCH_TOOL_ALLOWLIST is set, but tools are off in this version".to_owned());
        }
        if self.executor == ExecutorKind::Local && self.max_tokens >= self.context_tokens {
            warnings.push(
                "LOCAL_LLM_MAX_TOKENS leaves nothing of LOCAL_LLM_CONTEXT_TOKENS for the prompt"
                    .to_owned(),
            );
        }
        if self.limits.total > Duration::from_secs(3_600) {
            warnings.push("LOCAL_LLM_TIMEOUT_MS is more than an hour".to_owned());
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
