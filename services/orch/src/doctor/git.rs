//! Git, and where checkouts lie.

use std::time::Duration;

use tokio::{process::Command, time::timeout};
use workspace::{WorkspaceArgs, Workspaces};

use super::Finding;

const NAME: &str = "git";

pub(super) async fn version(patience: Duration) -> Finding {
    const ADVICE: &str = "Install git, on Debian: apt-get install git";
    let asked = Command::new("git").arg("--version").kill_on_drop(true).output();
    match timeout(patience, asked).await {
        Ok(Ok(answer)) if answer.status.success() => {
            Finding::ok(NAME, String::from_utf8_lossy(&answer.stdout).trim().to_owned())
        }
        Ok(Ok(answer)) => {
            Finding::broken(NAME, format!("`git --version` ended with {}", answer.status), ADVICE)
        }
        Ok(Err(error)) => Finding::broken(NAME, format!("git cannot be started: {error}"), ADVICE),
        Err(_elapsed) => Finding::broken(NAME, "git does not answer", ADVICE),
    }
}

/// Whether checkouts can be made. What crashed processes left behind is cleared on the way, as at every start.
pub(super) fn workspaces(args: &WorkspaceArgs) -> Finding {
    const NAME: &str = "workspaces";
    match Workspaces::new(args) {
        Ok(_) => {
            let place = args
                .workspace_dir
                .as_ref()
                .map_or_else(|| "the temporary folder".to_owned(), |it| it.display().to_string());
            Finding::ok(NAME, format!("{place} can be written"))
        }
        Err(error) => Finding::broken(
            NAME,
            format!("{:#}", anyhow::Error::new(error)),
            "Set ORCH_WORKSPACE_DIR to a folder that only this user can write.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let below = |dir| WorkspaceArgs { workspace_dir: Some(dir), ..WorkspaceArgs::default() };
        assert_eq!(workspaces(&below(file.path().join("x"))).status, Status::Broken);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(workspaces(&below(dir.path().join("x"))).status, Status::Ok);
    }
}
