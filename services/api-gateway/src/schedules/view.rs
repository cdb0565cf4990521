//! A schedule as clients see it, and the parts that are written as they are read.

use chrono::{DateTime, Utc};
use domain::{
    ids::ScheduleId,
    role::Role,
    schedule::{Cadence, CatchUp, Schedule, ScheduleTarget},
    workflow::Workflow,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    names::{CatchUpName, RoleName, WorkflowName},
    whole::Whole,
};

/// A rule that starts runs over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleView {
    #[schema(value_type = Uuid)]
    pub(crate) id: ScheduleId,
    name: String,
    cadence: CadenceBody,
    #[schema(value_type = CatchUpName)]
    catch_up: CatchUp,
    target: TargetBody,
    repository: Option<String>,
    base_ref: Option<String>,
    enabled: bool,
    /// When it fires next; null where it never does, or is not enabled.
    next_at: Option<DateTime<Utc>>,
    last_slot: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        Self {
            id: schedule.id,
            name: schedule.name,
            cadence: schedule.cadence.into(),
            catch_up: schedule.catch_up,
            target: schedule.target.into(),
            repository: schedule.repository,
            base_ref: schedule.base_ref,
            enabled: schedule.enabled,
            next_at: schedule.next_at,
            last_slot: schedule.last_slot,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

/// When a schedule fires.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Cadence)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CadenceBody {
    /// Every so many milliseconds, from a second to a year.
    #[serde(rename_all = "camelCase")]
    Interval {
        #[schema(minimum = 1_000, maximum = 31_622_400_000i64)]
        #[serde(deserialize_with = "whole")]
        every_ms: i64,
    },
    /// A cron expression of five fields, or six with seconds first. The pattern shows the usual forms; ranges, names, `L`, `W`
    /// and `#` are understood as well.
    #[serde(rename_all = "camelCase")]
    Cron {
        #[schema(min_length = 1, max_length = 255)]
        expression: String,
        /// An IANA name, as `Europe/Berlin`; default `UTC`.
        #[serde(default = "utc")]
        #[schema(min_length = 1, max_length = 64)]
        timezone: String,
    },
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Whole::deserialize(deserializer).map(|Whole(number)| number)
}

fn utc() -> String {
    "UTC".to_owned()
}

impl From<Cadence> for CadenceBody {
    fn from(cadence: Cadence) -> Self {
        match cadence {
            Cadence::Interval { every_ms } => Self::Interval { every_ms },
            Cadence::Cron { expression, timezone } => Self::Cron { expression, timezone },
        }
    }
}

impl From<CadenceBody> for Cadence {
    fn from(cadence: CadenceBody) -> Self {
        match cadence {
            CadenceBody::Interval { every_ms } => Self::Interval { every_ms },
            CadenceBody::Cron { expression, timezone } => Self::Cron { expression, timezone },
        }
    }
}

/// What a schedule starts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ScheduleTarget)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TargetBody {
    /// One run with a task for each of these roles.
    Roles {
        #[schema(value_type = Vec<RoleName>, min_items = 1, max_items = 32)]
        roles: Vec<Role>,
        #[schema(min_length = 1, max_length = 65_536)]
        description: String,
    },
    /// One run of a workflow.
    Workflow {
        #[schema(value_type = WorkflowName)]
        workflow: Workflow,
        #[schema(min_length = 1, max_length = 65_536)]
        goal: String,
    },
}

impl From<ScheduleTarget> for TargetBody {
    fn from(target: ScheduleTarget) -> Self {
        match target {
            ScheduleTarget::Roles { roles, description } => Self::Roles { roles, description },
            ScheduleTarget::Workflow { workflow, goal } => Self::Workflow { workflow, goal },
        }
    }
}

impl From<TargetBody> for ScheduleTarget {
    fn from(target: TargetBody) -> Self {
        match target {
            TargetBody::Roles { roles, description } => Self::Roles { roles, description },
            TargetBody::Workflow { workflow, goal } => Self::Workflow { workflow, goal },
        }
    }
}
