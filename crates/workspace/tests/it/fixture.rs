//! Repositories to work on, and a workspace to work in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use workspace::{
    Action, Author, Change, Checkout, CommitId, Error, OpenRequest, RepositoryLocation,
    WorkspaceArgs, Workspaces,
};

/// The branch that tests work on.
pub(crate) const BRANCH: &str = "orchestrator/run-1";

/// A directory with repositories, and workspaces beside them.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) args: WorkspaceArgs,
    pub(crate) workspaces: Workspaces,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A fixture with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut WorkspaceArgs)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut args = WorkspaceArgs {
            workspace_dir: Some(dir.path().join("workspaces")),
            git_allow_local: true,
            ..WorkspaceArgs::default()
        };
        change(&mut args);
        let workspaces = Workspaces::new(&args).unwrap();
        Self { dir, args, workspaces }
    }

    /// A repository with a working directory and one commit on `main`.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        write(&path, files);
        commit_all(&path, "First commit");
        path
    }

    /// A bare repository with one commit on `main`.
    pub(crate) fn bare_repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let source = self.repository(&format!("{name}-source"), files);
        let path = self.dir.path().join(name);
        git(&source, &["clone", "--quiet", "--bare", ".", path.to_str().unwrap()]);
        path
    }

    pub(crate) async fn open(&self, repository: &Path) -> Checkout {
        self.try_open(request(repository)).await.unwrap()
    }

    pub(crate) async fn try_open(&self, request: OpenRequest) -> Result<Checkout, Error> {
        self.workspaces.open(request, &CancellationToken::new()).await
    }
}

pub(crate) fn request(repository: &Path) -> OpenRequest {
    OpenRequest {
        repository: RepositoryLocation::parse(repository.to_str().unwrap()).unwrap(),
        base_ref: None,
        base_commit: None,
        branch: BRANCH.to_owned(),
    }
}

/// Writes a file, commits it with a trailer, and gives the commit.
pub(crate) async fn commit_file(checkout: &Checkout, path: &str, content: &str) -> CommitId {
    checkout.apply(&[put(path, content)]).await.unwrap();
    let trailers = [("Orchestrator-Task", "task-1".to_owned())];
    checkout.commit(&format!("Write {path}"), &trailers, &author()).await.unwrap().unwrap()
}

pub(crate) fn put(path: &str, content: &str) -> Change {
    Change { path: path.to_owned(), action: Action::Write { content: content.to_owned() } }
}

pub(crate) fn delete(path: &str) -> Change {
    Change { path: path.to_owned(), action: Action::Delete }
}

pub(crate) fn author() -> Author {
    Author {
        name: "Orchestrator".into(),
        email: "bot@example.org".into(),
        unix_seconds: Some(1_700_000_000),
    }
}

pub(crate) fn write(repository: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = repository.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

pub(crate) fn commit_all(repository: &Path, message: &str) {
    git(repository, &["add", "--all"]);
    git(repository, &["commit", "--quiet", "--message", message]);
}

/// Runs git as a person would, and gives what it prints.
#[track_caller]
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "-c", "protocol.file.allow=always"])
        .args(["-c", "user.name=Person", "-c", "user.email=person@example.org"])
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?} in {}: {complaint}", dir.display());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
