//! Triggers: what may start a run, already understood and without the wire format it came in.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    ids::{RunId, ScheduleId},
    named_enum,
    role::Role,
    run::{Budget, NewRun},
    task::{NewTask, Priority, TaskKind},
    workflow::Workflow,
};

/// Where a run came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Source {
    /// A call of the API, or the command line.
    Api,
    /// A GitHub delivery.
    Webhook {
        delivery_id: String,
        event: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// The issue or pull request that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<i64>,
    },
    /// A slot of a schedule.
    Schedule { schedule_id: ScheduleId, slot: chrono::DateTime<chrono::Utc> },
    /// A normalised event from a CI job.
    Event { event: EventKind },
}

named_enum! {
    /// The kinds that `POST /events` takes.
    pub enum EventKind ("event kind") {
        Issue = "ISSUE",
        Push = "PUSH",
        Scheduled = "SCHEDULED",
        CiStatus = "CI_STATUS",
    }
}

/// Something happened that calls for work.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub source: Source,
    pub repository: Option<String>,
    pub base_ref: Option<String>,
    pub title: String,
    /// Untrusted text, given to the model as data.
    pub body: String,
    pub url: Option<String>,
    pub priority: Priority,
    pub work: Work,
}

/// What a trigger asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The whole team, from plan to pull request.
    Grow,
    /// One role looks at it.
    Single(Role),
}

impl Trigger {
    /// The run that answers this trigger.
    pub fn into_run(self) -> NewRun {
        let goal = if self.body.is_empty() {
            self.title.clone()
        } else {
            format!("{}\n\n{}", self.title, self.body)
        };
        let (workflow, mut task) = match self.work {
            Work::Grow => {
                (Workflow::Grow, NewTask::new(Role::Architect, TaskKind::Plan, goal.clone()))
            }
            Work::Single(role) => {
                (Workflow::Single, NewTask::new(role, TaskKind::Single, goal.clone()))
            }
        };
        task.priority = self.priority;
        if let Some(url) = &self.url {
            task.payload = json!({ "url": url });
        }
        NewRun {
            id: RunId::new(),
            workflow,
            goal,
            repository: self.repository,
            base_ref: self.base_ref,
            source: self.source,
            budget: Budget::default(),
            priority: self.priority,
            metadata: Value::Object(serde_json::Map::new()),
            tasks: vec![task],
        }
    }
}
