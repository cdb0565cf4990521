//! What became of a change that a client asked for.

use domain::{ids::RunId, run::Run};
use store::runs::RunChanged;

use crate::{app::App, error::ApiError};

/// The run as it is now, its messages announced; or why it could not be changed, by `rule`.
pub(super) fn changed(
    app: &App,
    id: RunId,
    change: RunChanged,
    rule: &'static str,
) -> Result<Run, ApiError> {
    match change {
        RunChanged::Done { run, announce } => {
            app.announce(announce);
            Ok(*run)
        }
        RunChanged::Missing => Err(ApiError::RunNotFound(id)),
        RunChanged::NotNow(status) => Err(ApiError::RunStatus { id, status, rule }),
    }
}

/// The run, where it exists.
pub(super) async fn existing(app: &App, id: RunId) -> Result<Run, ApiError> {
    app.store.find_run(id).await?.ok_or(ApiError::RunNotFound(id))
}
