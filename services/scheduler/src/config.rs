//! Settings of the scheduler.

use std::{str::FromStr, time::Duration};

use clap::{Args, Parser, builder::RangedU64ValueParser, value_parser};
use domain::{
    retry::RetryPolicy,
    role::Role,
    schedule::{Cadence, CatchUp, NewSchedule, ScheduleTarget},
};
use queue::QueueKind;
use store::{StoreKind, upkeep::Retention};

/// Starts runs over time and mends what others left behind: due retries, expired leases, messages in the outbox.
/// Any number of replicas is safe.
#[derive(Clone, Debug, Parser)]
#[command(name = "scheduler", version)]
pub struct Config {
    #[command(flatten)]
    pub scheduler: SchedulerArgs,
    #[command(flatten)]
    pub retries: RetryArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub serve: web::ServeArgs,
    #[command(flatten)]
    pub database: store::DatabaseArgs,
    #[command(flatten)]
    pub queue: queue::QueueArgs,
    #[command(flatten)]
    pub announcer: queue::announcer::AnnouncerArgs,
    #[command(flatten)]
    pub telemetry: telemetry::TelemetryArgs,
}

impl Config {
    /// What is wrong beyond single values, one sentence each.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        match self.database.kind() {
            Ok(StoreKind::Postgres) => {}
            Ok(StoreKind::Sqlite) => wrong.push(
                "ORCH_TASK_STORE is `sqlite`: a scheduler beside other services needs `postgres`; `orch dev` has one \
                 for the embedded store"
                    .to_owned(),
            ),
            Err(error) => wrong.push(error.to_string()),
        }
        if self.queue.task_queue == QueueKind::InProcess {
            wrong.push(
                "TASK_QUEUE is `in-process`: a scheduler beside other services reaches no worker with it; use `rabbitmq`"
                    .to_owned(),
            );
        }
        wrong
    }
}

/// Where the health port listens.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct ListenArgs {
    /// Address on which health, readiness and metrics are served.
    #[arg(long, env = "ORCH_HOST", default_value = "0.0.0.0")]
    pub host: String,
    /// Port of the same; 0 takes a free one.
    #[arg(long, env = "ORCH_PORT", default_value_t = 8083)]
    pub port: u16,
}

/// The retries of tasks, which are the worker's settings: the scheduler ends attempts for workers that cannot.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Retries")]
pub struct RetryArgs {
    /// Retries of a task whose attempt failed. The workers' value counts for tasks that one of them has begun.
    #[arg(long, env = "ORCH_WORKER_MAX_RETRIES", default_value_t = 3, value_parser = value_parser!(u16).range(0..=100))]
    pub worker_max_retries: u16,
    /// Milliseconds before the first retry; doubled for each, with jitter.
    #[arg(long, env = "ORCH_WORKER_BACKOFF_MS", default_value_t = 2_000, value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub worker_backoff_ms: u64,
}

impl RetryArgs {
    pub fn policy(&self) -> RetryPolicy {
        RetryPolicy::new(self.worker_max_retries, Duration::from_millis(self.worker_backoff_ms))
    }
}

/// What the loops go by.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Scheduler")]
pub struct SchedulerArgs {
    /// Whether its loops run at all. Without them retries, schedules and time limits stand still.
    #[arg(long, env = "ORCH_SCHEDULER_ENABLED", default_value_t = true, action = clap::ArgAction::Set)]
    pub scheduler_enabled: bool,

    /// Milliseconds between two slots of the default schedule [default: 60000]. The schedule exists only where this or its
    /// roles are set.
    #[arg(long, env = "ORCH_SCHEDULE_INTERVAL_MS", value_parser = value_parser!(i64).range(Cadence::SHORTEST_MS..=Cadence::LONGEST_MS))]
    pub schedule_interval_ms: Option<i64>,
    /// Roles that get a task in each slot of the default schedule, comma separated
    /// [default: architect,implementer,reviewer].
    #[arg(long, env = "ORCH_SCHEDULE_ROLES")]
    pub schedule_roles: Option<Roles>,
    /// What the tasks of the default schedule ask for.
    #[arg(
        long,
        env = "ORCH_SCHEDULE_DESCRIPTION",
        default_value = "Look at the state of the work and say what should be done next."
    )]
    pub schedule_description: String,

    /// Days for which runs are kept after their end, with their tasks, history and transcripts.
    #[arg(long, env = "ORCH_RETENTION_DAYS", default_value_t = 30, value_parser = value_parser!(u32).range(1..=36_500))]
    pub retention_days: u32,
    /// Days for which webhook deliveries are kept. GitHub itself redelivers those of the last three.
    #[arg(long, env = "ORCH_DELIVERY_RETENTION_DAYS", default_value_t = 14, value_parser = value_parser!(u32).range(1..=36_500))]
    pub delivery_retention_days: u32,
    /// Hours for which answers to requests with an `Idempotency-Key` are kept.
    #[arg(long, env = "ORCH_IDEMPOTENCY_RETENTION_HOURS", default_value_t = 24, value_parser = value_parser!(u32).range(1..=8_760))]
    pub idempotency_retention_hours: u32,
    /// Minutes after which a run without a time budget of its own is ended; 0 is never. A week, for it may wait for people.
    #[arg(long, env = "ORCH_RUN_TIMEOUT_MINUTES", default_value_t = 10_080, value_parser = value_parser!(u64).range(0..=5_256_000))]
    pub run_timeout_minutes: u64,

    /// Rows that one round of a loop takes, at most.
    #[arg(long, env = "ORCH_SCHEDULER_BATCH", default_value_t = 500, value_parser = value_parser!(u32).range(1..=10_000))]
    pub scheduler_batch: u32,
    /// Milliseconds between two looks into the outbox.
    #[arg(long, env = "ORCH_SCHEDULER_SWEEP_MS", default_value_t = 1_000, value_parser = period())]
    pub scheduler_sweep_ms: u64,
    /// Milliseconds after which a message in the outbox counts as left behind.
    #[arg(long, env = "ORCH_SCHEDULER_LEFT_BEHIND_MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub scheduler_left_behind_ms: u64,
    /// Milliseconds between two looks for tasks that nobody claims.
    #[arg(long, env = "ORCH_SCHEDULER_REMIND_MS", default_value_t = 5_000, value_parser = period())]
    pub scheduler_remind_ms: u64,
    /// Milliseconds after which a ready task that nobody has claimed is announced again.
    #[arg(long, env = "ORCH_SCHEDULER_UNCLAIMED_MS", default_value_t = 20_000, value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub scheduler_unclaimed_ms: u64,
    /// Messages waiting at the broker from which on nothing is announced again.
    #[arg(long, env = "ORCH_SCHEDULER_BACKLOG", default_value_t = 1_000, value_parser = value_parser!(u64).range(1..))]
    pub scheduler_backlog: u64,
    /// Milliseconds between two looks for retries that are due.
    #[arg(long, env = "ORCH_SCHEDULER_PROMOTE_MS", default_value_t = 200, value_parser = period())]
    pub scheduler_promote_ms: u64,
    /// Milliseconds between two looks for leases that ran out.
    #[arg(long, env = "ORCH_SCHEDULER_RESCUE_MS", default_value_t = 1_000, value_parser = period())]
    pub scheduler_rescue_ms: u64,
    /// Milliseconds between two looks for runs past their time.
    #[arg(long, env = "ORCH_SCHEDULER_TIMEOUTS_MS", default_value_t = 2_000, value_parser = period())]
    pub scheduler_timeouts_ms: u64,
    /// Milliseconds between two looks for schedules that are due.
    #[arg(long, env = "ORCH_SCHEDULER_PERIODIC_MS", default_value_t = 500, value_parser = period())]
    pub scheduler_periodic_ms: u64,
    /// Milliseconds between two looks for what has been kept long enough.
    #[arg(long, env = "ORCH_SCHEDULER_CLEAN_MS", default_value_t = 60_000, value_parser = period())]
    pub scheduler_clean_ms: u64,
    /// Milliseconds between two measurements of what the store holds.
    #[arg(long, env = "ORCH_SCHEDULER_GAUGES_MS", default_value_t = 5_000, value_parser = period())]
    pub scheduler_gauges_ms: u64,
    /// Milliseconds for which a loop, or the broker, may fail before `/ready` says so.
    #[arg(long, env = "ORCH_SCHEDULER_PATIENCE_MS", default_value_t = 30_000, value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub scheduler_patience_ms: u64,
}

fn period() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(10..=3_600_000)
}

/// Roles as a setting writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl FromStr for Roles {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut roles = Vec::new();
        for name in list.split(',').map(str::trim) {
            let role =
                name.parse().map_err(|error: domain::names::UnknownName| error.to_string())?;
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        Ok(Self(roles))
    }
}

/// The settings as the loops use them.
#[derive(Clone, Debug)]
pub struct Settings {
    pub enabled: bool,
    /// Rows that one round takes, at most.
    pub batch: u32,
    pub periods: Periods,
    /// Age from which a message in the outbox counts as left behind.
    pub left_behind_after: Duration,
    /// Time after which a ready task that nobody has claimed is announced again, ...
    pub unclaimed_after: Duration,
    /// ... unless so many messages wait at the broker.
    pub backlog: u64,
    /// What becomes of a task whose lease ran out.
    pub retry: RetryPolicy,
    /// How long a run without a budget of its own may take.
    pub longest_run: Option<Duration>,
    pub retention: Retention,
    pub default_schedule: Option<NewSchedule>,
    /// How long something may fail before the scheduler is not ready.
    pub patience: Duration,
}

/// How long each loop rests when it has nothing to do.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    pub sweep: Duration,
    pub remind: Duration,
    pub promote: Duration,
    pub rescue: Duration,
    pub timeouts: Duration,
    pub periodic: Duration,
    pub clean: Duration,
    pub gauges: Duration,
}

const HOUR: u64 = 3_600;

impl SchedulerArgs {
    pub fn settings(&self, retry: RetryPolicy) -> Settings {
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * HOUR);
        let longest = Duration::from_secs(self.run_timeout_minutes * 60);
        Settings {
            enabled: self.scheduler_enabled,
            batch: self.scheduler_batch,
            periods: Periods {
                sweep: Duration::from_millis(self.scheduler_sweep_ms),
                remind: Duration::from_millis(self.scheduler_remind_ms),
                promote: Duration::from_millis(self.scheduler_promote_ms),
                rescue: Duration::from_millis(self.scheduler_rescue_ms),
                timeouts: Duration::from_millis(self.scheduler_timeouts_ms),
                periodic: Duration::from_millis(self.scheduler_periodic_ms),
                clean: Duration::from_millis(self.scheduler_clean_ms),
                gauges: Duration::from_millis(self.scheduler_gauges_ms),
            },
            left_behind_after: Duration::from_millis(self.scheduler_left_behind_ms),
            unclaimed_after: Duration::from_millis(self.scheduler_unclaimed_ms),
            backlog: self.scheduler_backlog,
            retry,
            longest_run: (!longest.is_zero()).then_some(longest),
            retention: Retention {
                runs: days(self.retention_days),
                deliveries: days(self.delivery_retention_days),
                idempotency: Duration::from_secs(
                    u64::from(self.idempotency_retention_hours) * HOUR,
                ),
            },
            default_schedule: self.default_schedule(),
            patience: Duration::from_millis(self.scheduler_patience_ms),
        }
    }

    /// The schedule of the settings, where one of them asks for it.
    fn default_schedule(&self) -> Option<NewSchedule> {
        if self.schedule_interval_ms.is_none() && self.schedule_roles.is_none() {
            return None;
        }
        let usual = || Roles(vec![Role::Architect, Role::Implementer, Role::Reviewer]);
        let Roles(roles) = self.schedule_roles.clone().unwrap_or_else(usual);
        Some(NewSchedule {
            name: "default".to_owned(),
            cadence: Cadence::Interval { every_ms: self.schedule_interval_ms.unwrap_or(60_000) },
            catch_up: CatchUp::Skip,
            target: ScheduleTarget::Roles { roles, description: self.schedule_description.clone() },
            repository: None,
            base_ref: None,
            enabled: true,
        })
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
