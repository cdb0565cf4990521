use clap::{Command, FromArgMatches};

use super::*;

/// Parses flags; the variables of the environment that tests run in do not count.
fn parse(flags: &[&str]) -> Result<ExecutorSettings, SettingErrors> {
    let command = <ExecutorArgs as clap::Args>::augment_args(Command::new("test"))
        .mut_args(|it| it.env(None));
    let matches = command.no_binary_name(true).try_get_matches_from(flags).unwrap();
    ExecutorArgs::from_arg_matches(&matches).unwrap().parse()
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    let settings = parse(&[]).unwrap();
    insta::assert_debug_snapshot!(settings, @r#"
    ExecutorSettings {
        executor: Local,
        explicit: false,
        api: Ollama,
        endpoint: Endpoint(
            Url {
                scheme: "http",
                cannot_be_a_base: false,
                username: "",
                password: None,
                host: Some(
                    Domain(
                        "localhost",
                    ),
                ),
                port: Some(
                    11434,
                ),
                path: "/",
                query: None,
                fragment: None,
            },
        ),
        api_key: None,
        model: "llama3.1:8b",
        role_models: {},
        temperature: 0.2,
        max_tokens: 800,
        context_tokens: 4096,
        limits: Limits {
            connect: 5s,
            first_byte: 30s,
            idle: 15s,
            total: 30s,
            response_bytes: 4194304,
        },
        concurrency: None,
        error_mode: Fail,
        policy: Policy {
            kind: Oss,
            allowed: [
                Name(
                    "localhost",
                ),
                Address(
                    127.0.0.1,
                ),
                Address(
                    ::1,
                ),
            ],
            allow_hosted: false,
        },
        response_format: Text,
        check_llm: false,
        tools: ToolSettings {
            allowlist: [],
            max_iterations: 3,
            cwd: None,
            allowed_roots: [],
        },
    }
    "#);
    assert_eq!(settings.warnings(), [""; 0]);
}

#[test]
fn an_empty_value_counts_as_unset() {
    let settings =
        parse(&["--agent-executor=", "--local-llm-url=  ", "--local-llm-api-key="]).unwrap();
    assert!(!settings.explicit);
    assert!(settings.api_key.is_none());
}

#[test]
fn every_wrong_setting_is_named_in_one_message() {
    let flags = [
        "--agent-executor=redis",
        "--local-llm-api=vllm",
        "--local-llm-url=http://me:hunter2@localhost",
        "--local-llm-api-key=two words",
        "--local-llm-model=a b",
        "--local-llm-model-tester=a b",
        "--local-llm-temperature=hot",
        "--local-llm-timeout-ms=0",
        "--local-llm-max-tokens=-1",
        "--local-llm-error-mode=panic",
        "--llm-policy=none",
        "--allow-hosted-llm=maybe",
        "--local-llm-allowed-hosts=http://a,b",
        "--llm-response-format=xml",
        "--check-llm=2",
        "--tool-allowlist=/bin/sh",
        "--tool-max-iterations=0",
        "--tool-cwd=work",
        "--tool-allowed-roots=/a,/b/../c",
    ];
    let errors = parse(&flags).unwrap_err();
    assert_eq!(errors.0.len(), flags.len());
    assert!(!errors.to_string().contains("hunter2") && !errors.to_string().contains("two words"));
    insta::assert_snapshot!(errors, @r#"
    19 settings are wrong:
      LOCAL_LLM_MODEL_TESTER is "a b": use a model's name of at most 200 characters, without spaces
      LOCAL_LLM_TIMEOUT_MS is "0": use a number from 1 to 86400000
      LOCAL_LLM_MAX_TOKENS is "-1": use a number from 16 to 1000000
      ORCH_AGENT_EXECUTOR is "redis": use local or stub
      LOCAL_LLM_API is "vllm": use ollama or openai
      LOCAL_LLM_URL is wrong (its value is not shown): use a URL such as http://localhost:11434 (it holds a user name or password)
      LOCAL_LLM_API_KEY is wrong (its value is not shown): use printable ASCII characters without spaces
      LOCAL_LLM_MODEL is "a b": use a model's name of at most 200 characters, without spaces
      LOCAL_LLM_TEMPERATURE is "hot": use a number from 0 to 2
      LOCAL_LLM_ERROR_MODE is "panic": use fail or throw
      LOCAL_LLM_ALLOWED_HOSTS is "http://a,b": use host names and addresses with commas, without scheme, port, path or wildcard
      ORCH_LLM_POLICY is "none": use oss, hosted or locked
      ALLOW_HOSTED_LLM is "maybe": use true or false
      ORCH_LLM_RESPONSE_FORMAT is "xml": use text or structured-json
      ORCH_CHECK_LLM is "2": use true or false
      ORCH_TOOL_ALLOWLIST is "/bin/sh": use names of commands with commas, without paths
      ORCH_TOOL_MAX_ITERATIONS is "0": use a number from 1 to 100
      ORCH_TOOL_CWD is "work": use an absolute path without `..`
      ORCH_TOOL_ALLOWED_ROOTS is "/a,/b/../c": use absolute paths with commas, without `..`
    "#);
}

#[test]
fn a_policy_that_forbids_the_model_server_is_an_error_at_start() {
    let hosted = "https://api.openai.com/v1";
    forbids(&[], hosted, true);
    forbids(&["--llm-policy=hosted"], hosted, true);
    forbids(&["--allow-hosted-llm=true"], hosted, true);
    forbids(&["--llm-policy=hosted", "--allow-hosted-llm=true"], hosted, false);
    forbids(&["--llm-policy=hosted", "--local-llm-allowed-hosts=api.openai.com"], hosted, false);
    forbids(&["--local-llm-allowed-hosts=ollama.internal"], "http://ollama.internal", false);
    forbids(&["--local-llm-allowed-hosts=ollama.internal"], "http://localhost", true);
    forbids(&["--llm-policy=locked"], "http://localhost", false);
    forbids(&["--llm-policy=locked", "--local-llm-api=openai"], "http://localhost", true);
    // The stub asks nobody.
    forbids(&["--agent-executor=stub"], hosted, false);
}

#[track_caller]
fn forbids(flags: &[&str], url: &str, expected: bool) {
    let url = format!("--local-llm-url={url}");
    let flags: Vec<_> = flags.iter().copied().chain([url.as_str()]).collect();
    let result = parse(&flags);
    assert_eq!(result.is_err(), expected, "{flags:?}: {result:?}");
}

#[test]
fn a_folder_for_commands_lies_inside_what_they_may_use() {
    assert!(parse(&["--tool-cwd=/a/b", "--tool-allowed-roots=/a"]).is_ok());
    let errors = parse(&["--tool-cwd=/ab", "--tool-allowed-roots=/a"]).unwrap_err();
    let expected = "a setting is wrong:\n  ORCH_TOOL_CWD is \"/ab\": use a folder inside ORCH_TOOL_ALLOWED_ROOTS";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn a_role_may_have_its_own_model() {
    let settings = parse(&["--local-llm-model=a", "--local-llm-model-reviewer=b"]).unwrap();
    let models: Vec<_> = Role::ALL.iter().map(|it| settings.model_of(*it)).collect();
    assert_eq!(models, ["a", "a", "b", "a", "a"]);
}

#[test]
fn the_context_has_room_for_the_answer_unless_it_is_set() {
    let context = |flags: &[&str]| parse(flags).unwrap().context_tokens;
    assert_eq!(context(&["--local-llm-max-tokens=2048"]), 4_096);
    assert_eq!(context(&["--local-llm-max-tokens=4096"]), 8_192);
    assert_eq!(context(&["--local-llm-max-tokens=4096", "--local-llm-context-tokens=5000"]), 5_000);
}

#[test]
fn tools_that_are_switched_on_are_warned_about() {
    let settings = parse(&["--tool-allowlist=rg,cargo"]).unwrap();
    assert_eq!(settings.tools.allowlist, ["rg", "cargo"]);
    assert_eq!(
        settings.warnings(),
        ["ORCH_TOOL_ALLOWLIST is set, but tools are off in this version"]
    );
}

#[test]
fn the_names_of_the_variables_are_the_contract() {
    let command = <ExecutorArgs as clap::Args>::augment_args(Command::new("test"));
    let names: Vec<_> = command
        .get_arguments()
        .filter_map(|it| it.get_env()?.to_str().map(str::to_owned))
        .collect();
    insta::assert_snapshot!(names.join(" "), @r#"ORCH_AGENT_EXECUTOR LOCAL_LLM_API LOCAL_LLM_URL LOCAL_LLM_MODEL LOCAL_LLM_API_KEY LOCAL_LLM_MODEL_ARCHITECT LOCAL_LLM_MODEL_IMPLEMENTER LOCAL_LLM_MODEL_REVIEWER LOCAL_LLM_MODEL_TESTER LOCAL_LLM_MODEL_MAINTAINER LOCAL_LLM_TEMPERATURE LOCAL_LLM_TIMEOUT_MS LOCAL_LLM_CONNECT_TIMEOUT_MS LOCAL_LLM_FIRST_BYTE_TIMEOUT_MS LOCAL_LLM_IDLE_TIMEOUT_MS LOCAL_LLM_MAX_RESPONSE_BYTES LOCAL_LLM_MAX_TOKENS LOCAL_LLM_CONTEXT_TOKENS LOCAL_LLM_CONCURRENCY LOCAL_LLM_ERROR_MODE ORCH_LLM_POLICY ALLOW_HOSTED_LLM LOCAL_LLM_ALLOWED_HOSTS ORCH_LLM_RESPONSE_FORMAT ORCH_CHECK_LLM ORCH_TOOL_ALLOWLIST ORCH_TOOL_MAX_ITERATIONS ORCH_TOOL_CWD ORCH_TOOL_ALLOWED_ROOTS"#);
}
