//! What a client says of a task to be made, and what becomes of it.

use std::collections::HashSet;

use domain::{
    ids::{RunId, TaskId},
    role::Role,
    run::{Budget, NewRun},
    task::{NewTask, TaskKind},
    trigger::Source,
    workflow::Workflow,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{faults::Faults, names::RoleName, whole::Whole};

/// The kinds of task that a client may make; the others are made by workflows.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NewTaskKind {
    #[default]
    Single,
}

impl From<NewTaskKind> for TaskKind {
    fn from(NewTaskKind::Single: NewTaskKind) -> Self {
        Self::Single
    }
}

macro_rules! task_bodies {
    ($(#[$doc:meta])* $name:ident as $title:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, ToSchema)]
        #[schema(as = $title)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(crate) struct $name {
            /// Its id, where the client chooses it; taken ones are refused.
            #[schema(value_type = Option<Uuid>)]
            pub(crate) id: Option<TaskId>,
            /// The run that it joins. Without one, a run is made for it.
            #[schema(value_type = Option<Uuid>)]
            pub(crate) run_id: Option<RunId>,
            #[schema(value_type = RoleName)]
            pub(crate) role: Role,
            /// Default `single`.
            pub(crate) kind: Option<NewTaskKind>,
            /// What to do.
            #[schema(min_length = 1, max_length = 65_536)]
            pub(crate) description: String,
            /// Input beside the description, at most 262,144 bytes as JSON.
            #[schema(value_type = Option<Object>)]
            pub(crate) payload: Option<Map<String, Value>>,
            /// Whatever the client wants to find again, at most 262,144 bytes as JSON.
            #[schema(value_type = Option<Object>)]
            pub(crate) metadata: Option<Map<String, Value>>,
            /// 0 first, 9 last; default 5.
            #[schema(value_type = Option<i64>, minimum = 0, maximum = 9)]
            pub(crate) priority: Option<Whole>,
            /// Tasks of the same run, or of the same request, that must complete first.
            #[schema(value_type = Option<Vec<Uuid>>, max_items = 256)]
            pub(crate) depends_on: Option<Vec<TaskId>>,
            /// False keeps it pending until somebody dispatches it; default true.
            pub(crate) dispatch: Option<bool>,
            /// Attempts before it is a dead letter; default the worker's own setting.
            #[schema(value_type = Option<i64>, minimum = 1, maximum = 100)]
            pub(crate) max_attempts: Option<Whole>,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl $name {
            /// The task itself, without where it belongs.
            pub(crate) fn task(&mut self, faults: &mut Faults) -> NewTask {
                let depends_on = self.depends_on.take().unwrap_or_default();
                faults.description("description", &self.description);
                let max_attempts = faults.attempts(self.max_attempts);
                faults.dependencies(depends_on.len());
                NewTask {
                    id: self.id.unwrap_or_else(TaskId::new),
                    role: self.role,
                    kind: self.kind.unwrap_or_default().into(),
                    description: std::mem::take(&mut self.description),
                    payload: faults.object("payload", self.payload.take()),
                    metadata: faults.object("metadata", self.metadata.take()),
                    priority: faults.priority(self.priority),
                    depends_on: each_once(depends_on),
                    dispatch: self.dispatch.unwrap_or(true),
                    max_attempts,
                }
            }
        }
    };
}

task_bodies! {
    /// A task to be made.
    NewTaskBody as NewTask {
        /// For a new run: where its work is, as `owner/name` or a URL.
        #[schema(max_length = 2_048)]
        repository: Option<String>,
        /// For a new run: what it is for; default the description.
        #[schema(min_length = 1, max_length = 65_536)]
        goal: Option<String>,
    }
}

task_bodies! {
    /// A task of a batch.
    BatchTaskBody as NewBatchTask {}
}

fn each_once(ids: Vec<TaskId>) -> Vec<TaskId> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}

/// A run for tasks that came without one.
pub(crate) fn manual_run(goal: String, repository: Option<String>, tasks: Vec<NewTask>) -> NewRun {
    NewRun {
        id: RunId::new(),
        workflow: Workflow::Single,
        goal,
        repository,
        base_ref: None,
        source: Source::Api,
        budget: Budget::default(),
        priority: tasks.iter().map(|task| task.priority).min().unwrap_or_default(),
        metadata: Value::Object(Map::new()),
        tasks,
    }
}
