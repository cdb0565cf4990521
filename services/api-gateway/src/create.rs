//! Creating things: once, announced, and with every refusal of the store told to the client.

use std::time::Duration;

use domain::{ids::TaskId, run::Run, task::Task};
use store::runs::{Created, CreatedSet, Creation};
use tokio::time::timeout;

use crate::{app::App, error::ApiError, metrics};

/// What was created, now or by an earlier request with the same Idempotency-Key.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) set: CreatedSet,
    pub(crate) replayed: bool,
}

impl Made {
    /// The run of a creation of one run.
    pub(crate) fn run(self) -> Result<Run, ApiError> {
        self.set
            .runs
            .into_iter()
            .next()
            .ok_or(ApiError::Bug("a run was created and is not in the answer"))
    }

    /// The task of a creation of one task.
    pub(crate) fn task(self) -> Result<Task, ApiError> {
        self.set
            .tasks
            .into_iter()
            .next()
            .ok_or(ApiError::Bug("a task was created and is not in the answer"))
    }
}

impl App {
    /// Creates something small, in a transaction that it shares with what others create at the same time. Whoever was told
    /// that it was too late and sends the request again with its Idempotency-Key gets what was made, if it was.
    pub(crate) async fn create(&self, creation: Creation) -> Result<Made, ApiError> {
        let limit = Duration::from_millis(self.settings.args.create_answer_ms);
        let created = timeout(limit, self.creations.submit(creation)).await;
        self.made(created.map_err(|_elapsed| ApiError::TooLate)??).await
    }

    /// Creates something large, in a transaction of its own.
    pub(crate) async fn create_alone(&self, creation: Creation) -> Result<Made, ApiError> {
        let mut answers = self.store.create(vec![creation]).await?;
        let created = answers
            .pop()
            .ok_or(ApiError::Bug("the store did not say what became of a creation"))?;
        self.made(created).await
    }

    async fn made(&self, created: Created) -> Result<Made, ApiError> {
        match created {
            Created::New { set, announce } => {
                self.announce(announce);
                metrics::created(&set);
                Ok(Made { set, replayed: false })
            }
            Created::Replayed(set) => Ok(Made { set, replayed: true }),
            Created::KeyReused => Err(ApiError::KeyReused),
            Created::Conflict(ids) => Err(ApiError::IdExists(self.existing(ids).await?)),
            Created::RunMissing(run) => Err(ApiError::RunNotFound(run)),
            Created::RunEnded(id, status) => Err(ApiError::RunStatus {
                id,
                status,
                rule: "tasks are added to a run that has not ended",
            }),
            Created::BadDependency { task, depends_on } => {
                Err(ApiError::BadDependency { task, depends_on })
            }
            Created::Rejected => {
                Err(ApiError::Bug("the database does not take a creation that was checked"))
            }
            Created::Duplicate => {
                Err(ApiError::Bug("a creation without a delivery or slot is none's duplicate"))
            }
        }
    }

    /// Which of the ids of a creation are taken. They begin with the run's, where it has one.
    async fn existing(&self, ids: Vec<String>) -> Result<Vec<String>, ApiError> {
        let tasks: Vec<TaskId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let taken: Vec<String> =
            self.store.find_tasks(tasks).await?.iter().map(|task| task.id.to_string()).collect();
        Ok(if taken.is_empty() { ids.into_iter().take(1).collect() } else { taken })
    }
}
