//! The settings as they come: texts, so that reading them can name everything that is wrong at once.

use clap::Args;
use secrecy::SecretString;

/// Agents and models. An empty value counts as unset.
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of --help, which is no Markdown"
)]
#[derive(Args, Clone, Debug, Default)]
pub struct ExecutorArgs {
    /// Who carries tasks out: local (a model server), stub (no model) [default: local]
    #[arg(long, env = "ORCH_AGENT_EXECUTOR", value_name = "NAME")]
    pub agent_executor: Option<String>,
    /// How the model server is spoken to: ollama, openai [default: ollama]
    #[arg(long, env = "LOCAL_LLM_API", value_name = "NAME")]
    pub local_llm_api: Option<String>,
    /// Base URL of the model server, with or without /api or /v1 [default: http://localhost:11434]
    #[arg(long, env = "LOCAL_LLM_URL", value_name = "URL")]
    pub local_llm_url: Option<String>,
    /// Model of every role that has no other [default: llama3.1:8b]
    #[arg(long, env = "LOCAL_LLM_MODEL", value_name = "MODEL")]
    pub local_llm_model: Option<String>,
    /// Bearer token for the model server; set it in the environment, since arguments can be seen by other users
    #[arg(long, env = "LOCAL_LLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub local_llm_api_key: Option<SecretString>,
    /// Model of the architect
    #[arg(long, env = "LOCAL_LLM_MODEL_ARCHITECT", value_name = "MODEL")]
    pub local_llm_model_architect: Option<String>,
    /// Model of the implementer
    #[arg(long, env = "LOCAL_LLM_MODEL_IMPLEMENTER", value_name = "MODEL")]
    pub local_llm_model_implementer: Option<String>,
    /// Model of the reviewer
    #[arg(long, env = "LOCAL_LLM_MODEL_REVIEWER", value_name = "MODEL")]
    pub local_llm_model_reviewer: Option<String>,
    /// Model of the tester
    #[arg(long, env = "LOCAL_LLM_MODEL_TESTER", value_name = "MODEL")]
    pub local_llm_model_tester: Option<String>,
    /// Model of the maintainer
    #[arg(long, env = "LOCAL_LLM_MODEL_MAINTAINER", value_name = "MODEL")]
    pub local_llm_model_maintainer: Option<String>,
    /// How freely the model chooses its words, 0 to 2 [default: 0.2]
    #[arg(long, env = "LOCAL_LLM_TEMPERATURE", value_name = "NUMBER")]
    pub local_llm_temperature: Option<String>,
    /// Milliseconds that one request may take as a whole [default: 30000]
    #[arg(long, env = "LOCAL_LLM_TIMEOUT_MS", value_name = "MS")]
    pub local_llm_timeout_ms: Option<String>,
    /// Milliseconds to connect [default: 5000]
    #[arg(long, env = "LOCAL_LLM_CONNECT_TIMEOUT_MS", value_name = "MS")]
    pub local_llm_connect_timeout_ms: Option<String>,
    /// Milliseconds to the first byte of an answer [default: as LOCAL_LLM_TIMEOUT_MS]
    #[arg(long, env = "LOCAL_LLM_FIRST_BYTE_TIMEOUT_MS", value_name = "MS")]
    pub local_llm_first_byte_timeout_ms: Option<String>,
    /// Milliseconds between two bytes of an answer [default: half of LOCAL_LLM_TIMEOUT_MS]
    #[arg(long, env = "LOCAL_LLM_IDLE_TIMEOUT_MS", value_name = "MS")]
    pub local_llm_idle_timeout_ms: Option<String>,
    /// Bytes that one answer may have on the wire [default: 4194304]
    #[arg(long, env = "LOCAL_LLM_MAX_RESPONSE_BYTES", value_name = "BYTES")]
    pub local_llm_max_response_bytes: Option<String>,
    /// Tokens that one answer may have [default: 800]
    #[arg(long, env = "LOCAL_LLM_MAX_TOKENS", value_name = "TOKENS")]
    pub local_llm_max_tokens: Option<String>,
    /// Tokens of the model's context, prompt and answer together; prompts are cut to fit [default: 4096, or twice LOCAL_LLM_MAX_TOKENS if that is more]
    #[arg(long, env = "LOCAL_LLM_CONTEXT_TOKENS", value_name = "TOKENS")]
    pub local_llm_context_tokens: Option<String>,
    /// Requests of this process at the model server at once; more wait [default: no bound]
    #[arg(long, env = "LOCAL_LLM_CONCURRENCY", value_name = "COUNT")]
    pub local_llm_concurrency: Option<String>,
    /// When the model server fails: fail (the task fails), throw (the worker retries) [default: fail]
    #[arg(long, env = "LOCAL_LLM_ERROR_MODE", value_name = "NAME")]
    pub local_llm_error_mode: Option<String>,
    /// Which hosts may be asked: oss (local ones), hosted (any), locked (local ones, Ollama only) [default: oss]
    #[arg(long, env = "ORCH_LLM_POLICY", value_name = "NAME")]
    pub llm_policy: Option<String>,
    /// Under policy hosted, allow hosts outside LOCAL_LLM_ALLOWED_HOSTS [default: false]
    #[arg(long, env = "ALLOW_HOSTED_LLM", value_name = "BOOL")]
    pub allow_hosted_llm: Option<String>,
    /// Hosts that count as local, with commas [default: localhost,127.0.0.1,::1]
    #[arg(long, env = "LOCAL_LLM_ALLOWED_HOSTS", value_name = "HOSTS")]
    pub local_llm_allowed_hosts: Option<String>,
    /// Form of answers to single tasks: text, structured-json [default: text]
    #[arg(long, env = "ORCH_LLM_RESPONSE_FORMAT", value_name = "NAME")]
    pub llm_response_format: Option<String>,
    /// Whether readiness asks the model server [default: false]
    #[arg(long, env = "ORCH_CHECK_LLM", value_name = "BOOL")]
    pub check_llm: Option<String>,
    /// Commands that agents may run, with commas [default: none]
    #[arg(long, env = "ORCH_TOOL_ALLOWLIST", value_name = "COMMANDS")]
    pub tool_allowlist: Option<String>,
    /// Rounds of tool calls in one task [default: 3]
    #[arg(long, env = "ORCH_TOOL_MAX_ITERATIONS", value_name = "COUNT")]
    pub tool_max_iterations: Option<String>,
    /// Folder in which commands run [default: the task's workspace]
    #[arg(long, env = "ORCH_TOOL_CWD", value_name = "PATH")]
    pub tool_cwd: Option<String>,
    /// Folders that commands may use, with commas [default: the task's workspace]
    #[arg(long, env = "ORCH_TOOL_ALLOWED_ROOTS", value_name = "PATHS")]
    pub tool_allowed_roots: Option<String>,
}
