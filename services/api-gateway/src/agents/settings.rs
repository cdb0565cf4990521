//! What the workers' settings say of each role. This service only shows it; a worker obeys it.

use clap::Args;
use domain::role::Role;

/// The settings of agents that are shown; the worker's `--help` explains them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Agents, as GET /agents shows them")]
pub struct AgentArgs {
    /// What runs agents.
    #[arg(long, env = "ORCH_AGENT_EXECUTOR", default_value = "local")]
    pub agent_executor: String,
    /// The model of roles without their own.
    #[arg(long, env = "LOCAL_LLM_MODEL", default_value = "llama3.1:8b")]
    pub llm_model: String,
    /// The model of architects.
    #[arg(long, env = "LOCAL_LLM_MODEL_ARCHITECT")]
    pub llm_model_architect: Option<String>,
    /// The model of implementers.
    #[arg(long, env = "LOCAL_LLM_MODEL_IMPLEMENTER")]
    pub llm_model_implementer: Option<String>,
    /// The model of reviewers.
    #[arg(long, env = "LOCAL_LLM_MODEL_REVIEWER")]
    pub llm_model_reviewer: Option<String>,
    /// The model of testers.
    #[arg(long, env = "LOCAL_LLM_MODEL_TESTER")]
    pub llm_model_tester: Option<String>,
    /// The model of maintainers.
    #[arg(long, env = "LOCAL_LLM_MODEL_MAINTAINER")]
    pub llm_model_maintainer: Option<String>,
    /// Tools that agents may use.
    #[arg(long, env = "ORCH_TOOL_ALLOWLIST", value_delimiter = ',')]
    pub tool_allowlist: Vec<String>,
}

/// How one role's agent is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDescription {
    pub role: Role,
    /// `local` or `stub`.
    pub executor: String,
    /// None where no model is asked.
    pub model: Option<String>,
    pub tools: Vec<String>,
}

impl AgentArgs {
    /// Every role's agent.
    pub fn describe(&self) -> Vec<AgentDescription> {
        let tools: Vec<String> = self
            .tool_allowlist
            .iter()
            .map(|it| it.trim().to_owned())
            .filter(|it| !it.is_empty())
            .collect();
        let describe = |role: &Role| AgentDescription {
            role: *role,
            executor: self.agent_executor.clone(),
            model: (self.agent_executor != "stub").then(|| self.model(*role)),
            tools: tools.clone(),
        };
        Role::ALL.iter().map(describe).collect()
    }

    fn model(&self, role: Role) -> String {
        let own = match role {
            Role::Architect => &self.llm_model_architect,
            Role::Implementer => &self.llm_model_implementer,
            Role::Reviewer => &self.llm_model_reviewer,
            Role::Tester => &self.llm_model_tester,
            Role::Maintainer => &self.llm_model_maintainer,
        };
        own.clone().filter(|model| !model.is_empty()).unwrap_or_else(|| self.llm_model.clone())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        agents: AgentArgs,
    }

    #[test]
    fn a_role_has_its_own_model_or_the_common_one() {
        let arguments = [
            "program",
            "--llm-model",
            "small",
            "--llm-model-reviewer",
            "large",
            "--tool-allowlist",
            "rg, ls",
        ];
        let agents = Program::parse_from(arguments).agents.describe();
        let of = |role: Role| agents.iter().find(|it| it.role == role).unwrap();
        assert_eq!(of(Role::Tester).model.as_deref(), Some("small"));
        assert_eq!(of(Role::Reviewer).model.as_deref(), Some("large"));
        assert_eq!(of(Role::Tester).tools, ["rg", "ls"]);
    }

    #[test]
    fn the_stub_asks_no_model() {
        let agents = Program::parse_from(["program", "--agent-executor", "stub"]).agents.describe();
        assert!(agents.iter().all(|it| it.model.is_none()));
    }
}
