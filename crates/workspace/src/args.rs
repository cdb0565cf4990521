//! What an operator may set.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

const TIMEOUT_SECONDS: u64 = 120;
const BASE_URL: &str = "https://github.com/";
const TOKEN_HOSTS: &str = "github.com";
const MAX_REPOSITORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const MAX_FILE_BYTES: usize = 1024 * 1024;
const MAX_CHANGED_FILES: usize = 200;
const PROTECTED_PATHS: [&str; 3] = [".github/", "seed.yaml", ".gitmodules"];

/// Settings of the workspaces.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkspaceArgs {
    /// Where mirrors and checkouts lie; nothing that an agent can write [default: orchestrator-workspaces in the temporary
    /// directory]
    #[arg(long, env = "ORCH_WORKSPACE_DIR", value_name = "DIR")]
    pub workspace_dir: Option<PathBuf>,

    /// Longest time that one git command may take, in seconds
    #[arg(long, env = "ORCH_GIT_TIMEOUT_SECONDS", default_value_t = TIMEOUT_SECONDS,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub git_timeout_seconds: u64,

    /// Where `owner/name` is found
    #[arg(long, env = "ORCH_GIT_BASE_URL", default_value = BASE_URL, value_name = "URL")]
    pub git_base_url: Url,

    /// Token for reading and pushing over HTTP; give it by the environment, arguments are visible to everybody
    #[arg(long, env = "ORCH_GIT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub git_token: Option<SecretString>,

    /// The only hosts that get the token: `host` (https on port 443) or `host:port`
    #[arg(long, env = "ORCH_GIT_TOKEN_HOSTS", default_value = TOKEN_HOSTS, value_delimiter = ',', value_name = "HOSTS")]
    pub git_token_hosts: Vec<String>,

    /// Accept local paths and file:// URLs as repositories: they are read and written with this program's rights
    #[arg(long, env = "ORCH_GIT_ALLOW_LOCAL", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub git_allow_local: bool,

    /// Hosts, beside loopback, that may be spoken to without TLS: `host` or `host:port`
    #[arg(long, env = "ORCH_GIT_ALLOW_HTTP_HOSTS", value_delimiter = ',', value_name = "HOSTS")]
    pub git_allow_http_hosts: Vec<String>,

    /// Largest repository, in bytes of its mirror
    #[arg(long, env = "ORCH_GIT_MAX_REPOSITORY_BYTES", default_value_t = MAX_REPOSITORY_BYTES, value_name = "BYTES")]
    pub git_max_repository_bytes: u64,

    /// Largest file that a change may write, in bytes
    #[arg(long, env = "ORCH_WORKSPACE_MAX_FILE_BYTES", default_value_t = MAX_FILE_BYTES, value_name = "BYTES")]
    pub workspace_max_file_bytes: usize,

    /// Most files that one change may write or delete
    #[arg(long, env = "ORCH_WORKSPACE_MAX_CHANGED_FILES", default_value_t = MAX_CHANGED_FILES, value_name = "FILES")]
    pub workspace_max_changed_files: usize,

    /// Paths that no change may touch; one that ends in `/` stands for everything below it
    #[arg(long, env = "ORCH_WORKSPACE_PROTECTED_PATHS", default_values_t = PROTECTED_PATHS.map(String::from),
          value_delimiter = ',', value_name = "PATHS")]
    pub workspace_protected_paths: Vec<String>,
}

impl Default for WorkspaceArgs {
    /// The documented defaults, without a look at the environment.
    fn default() -> Self {
        Self {
            workspace_dir: None,
            git_timeout_seconds: TIMEOUT_SECONDS,
            git_base_url: Url::parse(BASE_URL).expect("a constant that is a URL"),
            git_token: None,
            git_token_hosts: vec![TOKEN_HOSTS.to_owned()],
            git_allow_local: false,
            git_allow_http_hosts: Vec::new(),
            git_max_repository_bytes: MAX_REPOSITORY_BYTES,
            workspace_max_file_bytes: MAX_FILE_BYTES,
            workspace_max_changed_files: MAX_CHANGED_FILES,
            workspace_protected_paths: PROTECTED_PATHS.map(String::from).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        workspace: WorkspaceArgs,
    }

    #[test]
    fn the_defaults_in_code_are_those_of_the_command_line() {
        let parsed = Program::parse_from(["program"]).workspace;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", WorkspaceArgs::default()));
    }

    #[test]
    fn a_token_is_shown_nowhere() {
        let parsed = Program::parse_from(["program", "--git-token", "hunter2"]).workspace;
        assert!(!format!("{parsed:?}").contains("hunter2"));
    }
}
