//! Schedules: rules that start runs over time.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::{RunId, ScheduleId},
    limits::CATCH_UP_RUNS,
    named_enum,
    role::Role,
    run::{Budget, NewRun},
    task::{NewTask, Priority, TaskKind},
    trigger::Source,
    workflow::Workflow,
};

/// When a schedule fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Cadence {
    /// Every so many milliseconds, at least [`Cadence::SHORTEST_MS`].
    Interval { every_ms: i64 },
    /// A cron expression of five fields (or six, with seconds first) in a time zone by its IANA name. On the day that clocks
    /// go forward a slot in the missing hour fires right after it; when they go back it fires once.
    Cron {
        expression: String,
        #[serde(default = "utc")]
        timezone: String,
    },
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A cadence that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum BadCadence {
    #[error("`everyMs` is {0}: use at least 1000")]
    TooOften(i64),
    #[error("`everyMs` is {0}: use at most 31622400000 (a year)")]
    TooSeldom(i64),
    #[error("`timezone` `{0}` is not an IANA time zone, such as `Europe/Berlin`")]
    UnknownTimezone(String),
    #[error("`expression` `{0}` is not a cron expression: {1}")]
    NotCron(String, String),
    #[error("`expression` `{0}` names a day that never comes")]
    Never(String),
}

impl Cadence {
    pub const SHORTEST_MS: i64 = 1_000;
    pub const LONGEST_MS: i64 = 366 * 24 * 3_600_000;

    /// Refuses what could never fire.
    pub fn validate(&self) -> Result<(), BadCadence> {
        match (self.next_after(DateTime::UNIX_EPOCH)?, self) {
            (None, Self::Cron { expression, .. }) => Err(BadCadence::Never(expression.clone())),
            (None | Some(_), _) => Ok(()),
        }
    }

    /// The first slot after `instant`; none where a cron expression has no more.
    pub fn next_after(&self, instant: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, BadCadence> {
        match self {
            Self::Interval { every_ms } if *every_ms < Self::SHORTEST_MS => {
                Err(BadCadence::TooOften(*every_ms))
            }
            Self::Interval { every_ms } if *every_ms > Self::LONGEST_MS => {
                Err(BadCadence::TooSeldom(*every_ms))
            }
            Self::Interval { every_ms } => Ok(Some(instant + TimeDelta::milliseconds(*every_ms))),
            Self::Cron { expression, timezone } => {
                let zone = Tz::from_str(timezone)
                    .map_err(|_unnamed| BadCadence::UnknownTimezone(timezone.clone()))?;
                let cron = Cron::from_str(expression)
                    .map_err(|error| BadCadence::NotCron(expression.clone(), error.to_string()))?;
                let next = cron.find_next_occurrence(&instant.with_timezone(&zone), false);
                Ok(next.ok().map(|slot| slot.with_timezone(&Utc)))
            }
        }
    }
}

named_enum! {
    /// What to do about slots that passed while nobody looked.
    pub enum CatchUp ("catch-up policy") {
        /// Nothing: go on with the next one.
        Skip = "skip",
        /// Fire once, for the newest of them.
        Latest = "latest",
        /// Fire for each, up to a bound.
        All = "all",
    }
}

/// What a schedule starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleTarget {
    /// One run with a task for each of these roles.
    Roles { roles: Vec<Role>, description: String },
    /// One run of a workflow.
    Workflow { workflow: Workflow, goal: String },
}

/// A schedule to be made, or what replaces one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSchedule {
    pub name: String,
    pub cadence: Cadence,
    pub catch_up: CatchUp,
    pub target: ScheduleTarget,
    pub repository: Option<String>,
    pub base_ref: Option<String>,
    pub enabled: bool,
}

/// A schedule as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    pub id: ScheduleId,
    pub name: String,
    pub cadence: Cadence,
    pub catch_up: CatchUp,
    pub target: ScheduleTarget,
    pub repository: Option<String>,
    pub base_ref: Option<String>,
    pub enabled: bool,
    /// The slot that fires next; none where none is left or it is not enabled.
    pub next_at: Option<DateTime<Utc>>,
    pub last_slot: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Slots to fire now, and the one that comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub slots: Vec<DateTime<Utc>>,
    pub next_at: Option<DateTime<Utc>>,
}

/// A slot that is this late was missed, not merely looked at late.
const MISSED_AFTER: TimeDelta = TimeDelta::seconds(60);

impl Schedule {
    /// What is due at `now`.
    pub fn due(&self, now: DateTime<Utc>) -> Result<Due, BadCadence> {
        let Some(first) = self.next_at.filter(|slot| *slot <= now) else {
            return Ok(Due { slots: Vec::new(), next_at: self.next_at });
        };
        let mut slots = match self.catch_up {
            CatchUp::Skip => self.slots_between(first.max(now - MISSED_AFTER), now)?,
            CatchUp::Latest | CatchUp::All => self.newest_slots(first, now)?,
        };
        if self.catch_up == CatchUp::Latest {
            slots = slots.split_off(slots.len().saturating_sub(1));
        }
        Ok(Due { next_at: self.next_slot(first, now)?, slots })
    }

    /// The newest slots from `first` to `now`, up to a bound: found by looking back further and further, so that a long gap
    /// costs no more than a short one.
    fn newest_slots(
        &self,
        first: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, BadCadence> {
        let mut span = MISSED_AFTER;
        loop {
            let from = first.max(now - span);
            let mut slots = self.slots_between(from, now)?;
            if slots.len() >= CATCH_UP_RUNS || from == first {
                return Ok(slots.split_off(slots.len().saturating_sub(CATCH_UP_RUNS)));
            }
            span = span * 2;
        }
    }

    /// The slots from `from` to `now`, both included.
    fn slots_between(
        &self,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, BadCadence> {
        let first = self.next_at.unwrap_or(from);
        let mut slots = Vec::new();
        let mut next = self.at_or_after(first, from)?;
        while let Some(slot) = next.filter(|slot| *slot <= now) {
            slots.push(slot);
            next = self.cadence.next_after(slot)?;
        }
        Ok(slots)
    }

    /// The first slot after `now`.
    fn next_slot(
        &self,
        first: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, BadCadence> {
        self.at_or_after(first, now + TimeDelta::microseconds(1))
    }

    /// The first slot that is not before `instant`, given a slot `first` to count intervals from.
    fn at_or_after(
        &self,
        first: DateTime<Utc>,
        instant: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, BadCadence> {
        match &self.cadence {
            _ if instant <= first => Ok(Some(first)),
            Cadence::Interval { every_ms } => {
                self.cadence.validate()?;
                let passed = (instant - first).num_microseconds().unwrap_or(i64::MAX);
                let every = every_ms.saturating_mul(1_000);
                let steps = passed / every + i64::from(passed % every != 0);
                Ok(Some(first + TimeDelta::milliseconds(every_ms.saturating_mul(steps))))
            }
            Cadence::Cron { .. } => self.cadence.next_after(instant - TimeDelta::microseconds(1)),
        }
    }

    /// The run of one slot.
    pub fn run(&self, source: Source) -> NewRun {
        let (workflow, goal, tasks) = match &self.target {
            ScheduleTarget::Roles { roles, description } => {
                let task = |role: &Role| NewTask::new(*role, TaskKind::Single, description.clone());
                (Workflow::Single, description.clone(), roles.iter().map(task).collect())
            }
            ScheduleTarget::Workflow { workflow, goal } => {
                let task = NewTask::new(Role::Architect, workflow.first_kind(), goal.clone());
                (*workflow, goal.clone(), vec![task])
            }
        };
        NewRun {
            id: RunId::new(),
            workflow,
            goal,
            repository: self.repository.clone(),
            base_ref: self.base_ref.clone(),
            source,
            budget: Budget::default(),
            priority: Priority::default(),
            metadata: Value::Object(serde_json::Map::new()),
            tasks,
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
