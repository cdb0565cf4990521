//! From texts to settings.

use std::{collections::BTreeMap, time::Duration};

use domain::role::Role;
use llm::{AllowedHost, Endpoint, Limits, Policy, PolicyKind, WireFormat};
use secrecy::{ExposeSecret, SecretString};

use super::{
    ErrorMode, ExecutorArgs, ExecutorKind, ExecutorSettings, Reader, ResponseFormat, SettingErrors,
    reader, tools,
};

const URL: &str = "http://localhost:11434";
const MODEL: &str = "llama3.1:8b";
const ALLOWED_HOSTS: &str = "localhost,127.0.0.1,::1";
const TEMPERATURE: f64 = 0.2;
const MAX_TOKENS: u32 = 800;
/// What Ollama itself gives a conversation, and what a model server with two places for 8,192 tokens has for each.
const CONTEXT_TOKENS: u32 = 4_096;
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
/// The longest time limit, in milliseconds: a day.
const LONGEST_MS: u64 = 86_400_000;
/// Characters of a model's name.
const NAME_CHARS: usize = 200;

const APIS: [(&str, WireFormat); 2] =
    [("ollama", WireFormat::Ollama), ("openai", WireFormat::OpenAi)];
const POLICIES: [(&str, PolicyKind); 3] =
    [("oss", PolicyKind::Oss), ("hosted", PolicyKind::Hosted), ("locked", PolicyKind::Locked)];

impl ExecutorArgs {
    /// Reads and checks every setting, the policy against the model server included.
    pub fn parse(self) -> Result<ExecutorSettings, SettingErrors> {
        let mut reader = Reader::new();
        let explicit = reader::set(self.agent_executor.clone()).is_some();
        let shown_url = self.local_llm_url.clone();
        let role_models = self.role_models(&mut reader);
        let limits = self.limits(&mut reader);
        let max_tokens = reader
            .number("LOCAL_LLM_MAX_TOKENS", self.local_llm_max_tokens, 16..=1_000_000)
            .unwrap_or(MAX_TOKENS);
        let settings = ExecutorSettings {
            executor: named(
                &mut reader,
                "ORCH_AGENT_EXECUTOR",
                self.agent_executor,
                ExecutorKind::ALL,
                ExecutorKind::name,
                ExecutorKind::Local,
            ),
            explicit,
            api: reader.choice("LOCAL_LLM_API", self.local_llm_api, &APIS, WireFormat::Ollama),
            endpoint: endpoint(&mut reader, self.local_llm_url),
            api_key: api_key(&mut reader, self.local_llm_api_key),
            model: model(&mut reader, "LOCAL_LLM_MODEL", self.local_llm_model)
                .unwrap_or_else(|| MODEL.to_owned()),
            role_models,
            temperature: reader
                .number("LOCAL_LLM_TEMPERATURE", self.local_llm_temperature, 0.0..=2.0)
                .unwrap_or(TEMPERATURE),
            max_tokens,
            context_tokens: reader
                .number(
                    "LOCAL_LLM_CONTEXT_TOKENS",
                    self.local_llm_context_tokens,
                    1_024..=10_000_000,
                )
                .unwrap_or_else(|| CONTEXT_TOKENS.max(max_tokens.saturating_mul(2))),
            limits,
            concurrency: reader.number(
                "LOCAL_LLM_CONCURRENCY",
                self.local_llm_concurrency,
                1..=100_000,
            ),
            error_mode: named(
                &mut reader,
                "LOCAL_LLM_ERROR_MODE",
                self.local_llm_error_mode,
                ErrorMode::ALL,
                ErrorMode::name,
                ErrorMode::Fail,
            ),
            policy: policy(
                &mut reader,
                self.llm_policy,
                self.local_llm_allowed_hosts,
                self.allow_hosted_llm,
            ),
            response_format: named(
                &mut reader,
                "ORCH_LLM_RESPONSE_FORMAT",
                self.llm_response_format,
                ResponseFormat::ALL,
                ResponseFormat::name,
                ResponseFormat::Text,
            ),
            check_llm: reader.flag("ORCH_CHECK_LLM", self.check_llm, false),
            tools: tools::read(
                &mut reader,
                self.tool_allowlist,
                self.tool_max_iterations,
                self.tool_cwd,
                self.tool_allowed_roots,
            ),
        };
        obey_policy(&mut reader, &settings, shown_url);
        reader.end().map(|()| settings)
    }

    fn role_models(&self, reader: &mut Reader) -> BTreeMap<Role, String> {
        let given = [
            (Role::Architect, "LOCAL_LLM_MODEL_ARCHITECT", &self.local_llm_model_architect),
            (Role::Implementer, "LOCAL_LLM_MODEL_IMPLEMENTER", &self.local_llm_model_implementer),
            (Role::Reviewer, "LOCAL_LLM_MODEL_REVIEWER", &self.local_llm_model_reviewer),
            (Role::Tester, "LOCAL_LLM_MODEL_TESTER", &self.local_llm_model_tester),
            (Role::Maintainer, "LOCAL_LLM_MODEL_MAINTAINER", &self.local_llm_model_maintainer),
        ];
        given
            .into_iter()
            .filter_map(|(role, name, raw)| Some((role, model(reader, name, raw.clone())?)))
            .collect()
    }

    fn limits(&self, reader: &mut Reader) -> Limits {
        let mut time = |name, raw: &Option<String>, default| {
            let ms = reader.number(name, raw.clone(), 1..=LONGEST_MS);
            ms.map_or(default, Duration::from_millis)
        };
        let total = time("LOCAL_LLM_TIMEOUT_MS", &self.local_llm_timeout_ms, TIMEOUT);
        Limits {
            total,
            connect: time(
                "LOCAL_LLM_CONNECT_TIMEOUT_MS",
                &self.local_llm_connect_timeout_ms,
                CONNECT_TIMEOUT,
            ),
            first_byte: time(
                "LOCAL_LLM_FIRST_BYTE_TIMEOUT_MS",
                &self.local_llm_first_byte_timeout_ms,
                total,
            ),
            idle: time("LOCAL_LLM_IDLE_TIMEOUT_MS", &self.local_llm_idle_timeout_ms, total / 2),
            response_bytes: reader
                .number(
                    "LOCAL_LLM_MAX_RESPONSE_BYTES",
                    self.local_llm_max_response_bytes.clone(),
                    1_024..=1_073_741_824,
                )
                .unwrap_or(MAX_RESPONSE_BYTES),
        }
    }
}

fn named<T: Copy>(
    reader: &mut Reader,
    name: &'static str,
    raw: Option<String>,
    all: &[T],
    name_of: fn(T) -> &'static str,
    default: T,
) -> T {
    let choices: Vec<_> = all.iter().map(|it| (name_of(*it), *it)).collect();
    reader.choice(name, raw, &choices, default)
}

fn model(reader: &mut Reader, name: &'static str, raw: Option<String>) -> Option<String> {
    let plain =
        |it: &str| it.chars().count() <= NAME_CHARS && it.chars().all(|it| it.is_ascii_graphic());
    let allowed = format!("a model's name of at most {NAME_CHARS} characters, without spaces");
    reader.read(name, raw, allowed, |raw| plain(raw).then(|| raw.to_owned()))
}

fn endpoint(reader: &mut Reader, raw: Option<String>) -> Endpoint {
    let default = || Endpoint::parse(URL).expect("the default is a URL");
    let Some(raw) = reader::set(raw) else { return default() };
    Endpoint::parse(&raw).unwrap_or_else(|error| {
        // A URL with an @ may hold a password.
        let shown = (!raw.contains('@')).then_some(raw);
        reader.wrong("LOCAL_LLM_URL", shown, format!("a URL such as {URL} ({error})"));
        default()
    })
}

fn api_key(reader: &mut Reader, raw: Option<SecretString>) -> Option<SecretString> {
    let key = raw?.expose_secret().trim().to_owned();
    if key.is_empty() {
        return None;
    }
    if !key.bytes().all(|it| it.is_ascii_graphic()) {
        reader.wrong("LOCAL_LLM_API_KEY", None, "printable ASCII characters without spaces");
        return None;
    }
    Some(key.into())
}

fn policy(
    reader: &mut Reader,
    kind: Option<String>,
    hosts: Option<String>,
    hosted: Option<String>,
) -> Policy {
    let parse = |it: &str| it.parse::<AllowedHost>().ok();
    let allowed = "host names and addresses with commas, without scheme, port, path or wildcard";
    let hosts = reader.list("LOCAL_LLM_ALLOWED_HOSTS", hosts, allowed, parse);
    Policy {
        kind: reader.choice("ORCH_LLM_POLICY", kind, &POLICIES, PolicyKind::Oss),
        allowed: hosts.unwrap_or_else(|| ALLOWED_HOSTS.split(',').filter_map(parse).collect()),
        allow_hosted: reader.flag("ALLOW_HOSTED_LLM", hosted, false),
    }
}

/// A policy that forbids the configured server is an error at start. The stub asks no server.
fn obey_policy(reader: &mut Reader, settings: &ExecutorSettings, shown_url: Option<String>) {
    if settings.executor == ExecutorKind::Stub {
        return;
    }
    if settings.policy.kind == PolicyKind::Locked && settings.api != WireFormat::Ollama {
        reader.wrong(
            "LOCAL_LLM_API",
            "openai".to_owned(),
            "ollama, or another ORCH_LLM_POLICY than locked",
        );
    } else if let Err(violation) = settings.policy.check(&settings.endpoint, settings.api) {
        let shown = reader::set(shown_url).unwrap_or_else(|| URL.to_owned());
        reader.wrong("LOCAL_LLM_URL", shown, format!("a host that policy allows ({violation})"));
    }
}
