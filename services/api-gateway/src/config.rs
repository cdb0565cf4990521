//! The settings of the service: its own, and those of the crates that it is made of.

use std::net::{IpAddr, ToSocketAddrs};

use clap::Parser;
use queue::{QueueArgs, announcer::AnnouncerArgs};
use store::DatabaseArgs;
use telemetry::TelemetryArgs;
use web::{BodyDeadlines, ServeArgs};

use crate::{
    agents::AgentArgs,
    settings::{Auth, GatewayArgs, Settings},
};

/// Serves the REST API: tasks, runs, schedules, deliveries, dead letters, event streams and their description.
///
/// `--help` is the reference: every setting is declared, documented and defaulted here or in what it flattens.
#[derive(Clone, Debug, Parser)]
#[command(name = "api-gateway", version)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "ORCH_HOST", default_value = "0.0.0.0")]
    pub host: String,

    /// Port to listen on.
    #[arg(long, env = "ORCH_PORT", default_value_t = 8080)]
    pub port: u16,

    /// Whether requests need an API key: `off` is refused unless `ORCH_HOST` is a loopback address.
    #[arg(long, env = "ORCH_AUTH", value_enum, default_value = "required")]
    pub auth: Auth,

    /// Accept local paths and file:// URLs as repositories.
    #[arg(long, env = "ORCH_GIT_ALLOW_LOCAL", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub git_allow_local: bool,

    #[command(flatten)]
    pub gateway: GatewayArgs,
    #[command(flatten)]
    pub agents: AgentArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub announcer: AnnouncerArgs,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub bodies: BodyDeadlines,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

impl Config {
    /// The settings of the API.
    ///
    /// # Errors
    /// What is wrong beyond single values, one sentence each.
    pub fn validate(&self) -> Result<Settings, Vec<String>> {
        let mut wrong = Vec::new();
        if let Err(error) = check_auth(self.auth, &self.host) {
            wrong.push(error);
        }
        if let Err(error) = self.database.kind() {
            wrong.push(error.to_string());
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Settings {
            args: self.gateway.clone(),
            auth: self.auth,
            allow_local_repositories: self.git_allow_local,
            deadlines: self.bodies,
            announcer: self.announcer,
        })
    }
}

/// Without authentication only those on the same machine may come near.
///
/// # Errors
/// `ORCH_AUTH`, where it is off and `host` can be reached from elsewhere.
pub fn check_auth(auth: Auth, host: &str) -> Result<(), String> {
    if auth == Auth::Required || is_loopback(host) {
        return Ok(());
    }
    Err(format!(
        "ORCH_AUTH is `off`: use `required`, or listen on a loopback address: ORCH_HOST is `{host}`"
    ))
}

/// Whether nobody outside this machine can connect to `host`: each of its addresses is a loopback address.
fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    match (host, 0).to_socket_addrs() {
        Ok(addresses) => {
            let mut addresses = addresses.peekable();
            addresses.peek().is_some() && addresses.all(|it| it.ip().is_loopback())
        }
        Err(_unknown) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authentication_is_off_on_loopback_only() {
        for (host, allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("localhost", true),
            ("0.0.0.0", false),
            ("::", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(check_auth(Auth::Off, host).is_ok(), allowed, "{host}");
            assert!(check_auth(Auth::Required, host).is_ok(), "{host}");
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_told_at_once() {
        let config = Config::parse_from(["api-gateway", "--auth", "off", "--task-store", "redis"]);
        let wrong = config.validate().unwrap_err();
        let variables: Vec<_> = wrong.iter().filter_map(|it| it.split(' ').next()).collect();
        assert_eq!(variables, ["ORCH_AUTH", "ORCH_TASK_STORE"]);
    }

    #[test]
    fn every_argument_is_declared_once() {
        use clap::CommandFactory;
        Config::command().debug_assert();
    }
}
