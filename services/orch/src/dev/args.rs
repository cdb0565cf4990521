//! Settings of `orch dev`: those of all services together, with defaults for one machine.

use std::net::{IpAddr, ToSocketAddrs};

use agent_executor::{ExecutorArgs, ExecutorSettings, settings::SettingErrors};
use api_gateway::{
    AgentArgs,
    settings::{Auth, GatewayArgs},
};
use clap::Args;
use domain::role::Role;
use queue::{QueueArgs, announcer::AnnouncerArgs};
use scheduler::SchedulerArgs;
use store::{DatabaseArgs, StoreKind};
use telemetry::TelemetryArgs;
use web::{BodyDeadlines, ServeArgs};
use webhook_ingest::WebhookArgs;
use worker::{WorkerArgs, WorkerConfig};
use workspace::WorkspaceArgs;

/// Local repositories are allowed and logs are for people: whoever starts this sits at the machine.
#[derive(Clone, Debug, Args)]
#[command(
    mut_arg("git_allow_local", |it| it.default_value("true")),
    mut_arg("log_format", |it| it.default_value("text"))
)]
pub struct DevArgs {
    /// Address to listen on.
    #[arg(long, env = "ORCH_HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "ORCH_PORT", default_value_t = 8080)]
    pub port: u16,
    /// Whether requests need an API key; `off` is refused unless `ORCH_HOST` is a loopback address
    /// [default: off on a loopback address, else required].
    #[arg(long, env = "ORCH_AUTH", value_enum)]
    pub auth: Option<Auth>,

    #[command(flatten)]
    pub executor: ExecutorArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub announcer: AnnouncerArgs,
    #[command(flatten)]
    pub worker: WorkerArgs,
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    #[command(flatten)]
    pub scheduler: SchedulerArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub gateway: GatewayArgs,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub bodies: BodyDeadlines,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct DevSettings {
    pub host: String,
    pub port: u16,
    pub executor: ExecutorSettings,
    pub database: DatabaseArgs,
    pub queue: QueueArgs,
    pub announcer: AnnouncerArgs,
    pub worker: WorkerConfig,
    pub workspace: WorkspaceArgs,
    pub scheduler: scheduler::Settings,
    pub webhook: WebhookArgs,
    pub gateway: api_gateway::settings::Settings,
    pub serve: ServeArgs,
    pub telemetry: TelemetryArgs,
}

impl DevArgs {
    /// Checks what clap does not see.
    ///
    /// # Errors
    /// A sentence for each setting that is wrong, or that does not go together with others.
    pub fn check(self) -> Result<DevSettings, Vec<String>> {
        let mut wrong = Vec::new();
        let note =
            |errors: SettingErrors| errors.0.iter().map(ToString::to_string).collect::<Vec<_>>();
        let worker = self.worker.clone().parse().map_err(|errors| wrong.extend(note(errors)));
        let executor = self.executor.clone().parse().map_err(|errors| wrong.extend(note(errors)));
        let gateway = self.gateway_config().validate().map_err(|sentences| wrong.extend(sentences));
        if matches!(self.database.kind(), Ok(StoreKind::Postgres))
            && self.database.database_url.is_none()
        {
            wrong.push(
                "DATABASE_URL is not set: ORCH_TASK_STORE=postgres needs the URL of a database"
                    .to_owned(),
            );
        }
        if let Err(error) = self.webhook.secrets() {
            wrong.push(error.to_string());
        }
        match (worker, executor, gateway) {
            (Ok(worker), Ok(executor), Ok(gateway)) if wrong.is_empty() => Ok(DevSettings {
                scheduler: self.scheduler.settings(worker.retry),
                worker: WorkerConfig {
                    announcer: self.announcer,
                    grace: self.serve.grace(),
                    ..worker
                },
                executor,
                gateway,
                host: self.host,
                port: self.port,
                database: self.database,
                queue: self.queue,
                announcer: self.announcer,
                workspace: self.workspace,
                webhook: self.webhook,
                serve: self.serve,
                telemetry: self.telemetry,
            }),
            _ => Err(wrong),
        }
    }

    fn gateway_config(&self) -> api_gateway::Config {
        let usual = if is_loopback(&self.host) { Auth::Off } else { Auth::Required };
        api_gateway::Config {
            host: self.host.clone(),
            port: self.port,
            auth: self.auth.unwrap_or(usual),
            git_allow_local: self.workspace.git_allow_local,
            gateway: self.gateway.clone(),
            agents: no_agents(),
            database: self.database.clone(),
            queue: self.queue.clone(),
            announcer: self.announcer,
            serve: self.serve.clone(),
            bodies: self.bodies,
            telemetry: self.telemetry.clone(),
        }
    }
}

/// The agents are described by the executor that runs them.
fn no_agents() -> AgentArgs {
    AgentArgs {
        agent_executor: String::new(),
        llm_model: String::new(),
        llm_model_architect: None,
        llm_model_implementer: None,
        llm_model_reviewer: None,
        llm_model_tester: None,
        llm_model_maintainer: None,
        tool_allowlist: Vec::new(),
    }
}

/// Whether nobody outside this machine can connect to `host`.
fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_name) => (host, 0).to_socket_addrs().is_ok_and(|mut addresses| {
            addresses.len() > 0 && addresses.all(|it| it.ip().is_loopback())
        }),
    }
}

/// Every role that has a model of its own, or the common one.
pub(super) fn models(settings: &ExecutorSettings) -> Vec<&str> {
    let mut models: Vec<&str> = Role::ALL.iter().map(|role| settings.model_of(*role)).collect();
    models.sort_unstable();
    models.dedup();
    models
}
