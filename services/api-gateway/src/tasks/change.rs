//! What became of a change that a client asked for.

use domain::{ids::TaskId, task::Task};
use store::tasks::Changed;

use crate::{app::App, error::ApiError};

/// What a task is now, its messages announced; or why it could not be changed, by `rule`.
pub(super) fn changed<T>(
    app: &App,
    id: TaskId,
    change: Changed<T>,
    rule: &'static str,
) -> Result<T, ApiError> {
    match change {
        Changed::Done { now, announce } => {
            app.announce(announce);
            Ok(now)
        }
        Changed::Missing => Err(ApiError::TaskNotFound(id)),
        Changed::NotNow(status) => Err(ApiError::TaskStatus { id, status, rule }),
    }
}

/// The task, where it exists.
pub(super) async fn existing(app: &App, id: TaskId) -> Result<Task, ApiError> {
    app.store.find_task(id).await?.ok_or(ApiError::TaskNotFound(id))
}
