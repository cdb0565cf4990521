//! Opening a checkout.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    Checkout, CommitId, Error, RepositoryLocation, WorkspaceArgs,
    checkout::Start,
    layout::{Layout, make_git_dir},
    message,
    mirror::{Mirror, Refs},
    process::Git,
    remote::Remote,
    settings, tree,
};

/// The mirrors and checkouts of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workspaces(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    args: Arc<WorkspaceArgs>,
    layout: Arc<Layout>,
    search_path: std::ffi::OsString,
    git_version: String,
}

/// Which branch of which repository to open.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    pub repository: RepositoryLocation,
    /// A branch, a tag or a commit to begin from where the branch is not there yet; none is the default branch.
    pub base_ref: Option<String>,
    /// The commit to begin from and compare with, where it was settled before. It outweighs `base_ref`.
    pub base_commit: Option<CommitId>,
    /// The branch to work on, without `refs/heads/`.
    pub branch: String,
}

impl Workspaces {
    /// Finds git, makes the directories, and deletes the checkouts of processes that crashed.
    ///
    /// # Errors
    /// [`Error::Io`] if git is not there or the directory cannot be used; both are for the operator to mend.
    pub fn new(args: &WorkspaceArgs) -> Result<Self, Error> {
        let search_path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let layout = Layout::new(args.workspace_dir.as_deref())?;
        let asked = Command::new("git")
            .arg("--version")
            .env_clear()
            .envs(settings::environment(&search_path, &layout.home()))
            .output()
            .map_err(Error::io("start git, which must be installed"))?;
        let git_version = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        let (args, layout) = (Arc::new(args.clone()), Arc::new(layout));
        Ok(Self(Arc::new(Shared { args, layout, search_path, git_version })))
    }

    /// What `git --version` says.
    pub fn git_version(&self) -> &str {
        &self.0.git_version
    }

    /// Checks that a location may be used at all, without going there.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] with the setting that forbids it; [`Error::NotFound`] for a local path that is not there.
    pub fn admit(&self, repository: &RepositoryLocation) -> Result<(), Error> {
        self.remote(repository).map(drop)
    }

    /// Opens a checkout at the head of the branch if the remote has it, else at the base.
    ///
    /// Everything that the checkout does, now and later, ends with [`Error::Cancelled`] once `cancel` is cancelled.
    ///
    /// # Errors
    /// Those of speaking to the remote; [`Error::NotFound`] if the base is not there; [`Error::TooLarge`].
    pub async fn open(
        &self,
        request: OpenRequest,
        cancel: &CancellationToken,
    ) -> Result<Checkout, Error> {
        check_ref_name(&request.branch)?;
        faults::point!("workspace.open.before");
        let Shared { args, layout, search_path, .. } = &*self.0;
        let git = Git {
            search_path: search_path.clone(),
            home: layout.home(),
            time_limit: Duration::from_secs(args.git_timeout_seconds),
            cancel: cancel.clone(),
        };
        let remote = self.remote(&request.repository)?;
        let mirror = Mirror::open(&git, layout, &remote, args.git_max_repository_bytes).await?;
        let found = find(&mirror, &remote, &request).await?;
        let head = found.branch.clone().unwrap_or_else(|| found.base.clone());

        let dir = layout.checkout_dir()?;
        let git_dir = dir.path().join("git");
        make_git_dir(&git_dir, Some(&mirror.git_dir().join("objects")))
            .map_err(Error::io("make a checkout"))?;
        let base = match (&found.branch, found.pinned) {
            (Some(branch), false) => merge_base(&git, &git_dir, &found.base, branch).await?,
            (Some(_), true) | (None, _) => found.base,
        };
        let tree = tree::read(&git, &git_dir, &head).await?;
        let message = message::read(&git, &git_dir, &head).await?;
        let mirror = mirror.keep();
        faults::point!("workspace.open.after");
        let start =
            Start { branch: request.branch, base, pushed: found.branch, head, tree, message };
        Ok(Checkout::new(
            start,
            git,
            git_dir,
            remote,
            Arc::clone(args),
            dir,
            mirror,
            Arc::clone(layout),
        ))
    }

    fn remote(&self, repository: &RepositoryLocation) -> Result<Remote, Error> {
        let config: PathBuf = self.0.layout.local_config();
        Remote::resolve(repository, &self.0.args, &config)
    }
}

/// Where a checkout begins.
struct Found {
    base: CommitId,
    /// Whether the base was given as a commit, rather than as something that moves.
    pinned: bool,
    /// The head of the branch, if the remote has it.
    branch: Option<CommitId>,
}

/// Finds base and branch on the remote, and brings them into the mirror.
async fn find(mirror: &Mirror<'_>, remote: &Remote, request: &OpenRequest) -> Result<Found, Error> {
    let base_ref = request.base_ref.as_deref().filter(|text| !text.is_empty());
    let pinned = match (&request.base_commit, base_ref) {
        (Some(commit), _) => Some(commit.clone()),
        (None, Some(text)) => text.parse().ok(),
        (None, None) => None,
    };
    let candidates = if pinned.is_some() { Vec::new() } else { base_candidates(base_ref)? };
    let branch_ref = format!("refs/heads/{}", request.branch);
    let mut names = candidates.clone();
    // Always asked for, so that an answer without it says that the repository is empty.
    names.extend(["HEAD".to_owned(), branch_ref.clone()]);
    let advertised = mirror.advertised(&names).await?;

    let base_name = candidates.into_iter().find(|name| advertised.contains_key(name));
    if base_name.is_none() && pinned.is_none() {
        return Err(match base_ref {
            Some(name) => Error::NotFound { what: format!("{name} of {}", remote.name()) },
            None => Error::Empty { repository: remote.name() },
        });
    }
    let wanted: Refs = base_name
        .iter()
        .chain([&branch_ref])
        .filter_map(|name| advertised.get(name).map(|id| (name.clone(), id.clone())))
        .collect();
    let commits = if wanted.is_empty() { Refs::new() } else { mirror.bring(&wanted).await? };
    let branch = commits.get(&branch_ref).cloned();
    if let Some(commit) = pinned {
        mirror.bring_commit(&commit).await?;
        return Ok(Found { base: commit, pinned: true, branch });
    }
    let base = base_name.and_then(|name| commits.get(&name).cloned());
    let base =
        base.ok_or_else(|| Error::NotFound { what: format!("the base of {}", remote.name()) })?;
    Ok(Found { base, pinned: false, branch })
}

/// The refs that a base may mean, the likeliest first.
fn base_candidates(base_ref: Option<&str>) -> Result<Vec<String>, Error> {
    let Some(text) = base_ref else { return Ok(vec!["HEAD".to_owned()]) };
    check_ref_name(text)?;
    if text == "HEAD" || text.starts_with("refs/heads/") || text.starts_with("refs/tags/") {
        return Ok(vec![text.to_owned()]);
    }
    Ok(vec![format!("refs/heads/{text}"), format!("refs/tags/{text}")])
}

/// The commit where a branch left the base; the base itself where they have nothing in common.
async fn merge_base(
    git: &Git,
    git_dir: &std::path::Path,
    base: &CommitId,
    branch: &CommitId,
) -> Result<CommitId, Error> {
    let call = git.call("find where the branch begins", git_dir);
    let output = call.args(["merge-base", base.as_str(), branch.as_str()]).run().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => text.trim().parse(),
        Some(1) => Ok(base.clone()),
        Some(_) | None => {
            Err(Error::Git { doing: "find where the branch begins", detail: output.complaint })
        }
    }
}

/// The rules of `git check-ref-format`, and nothing that could be taken for an option or a revision.
pub(crate) fn check_ref_name(name: &str) -> Result<(), Error> {
    let bad_char = |it: char| it.is_control() || it.is_whitespace() || "~^:?*[\\".contains(it);
    let bad_part = |it: &str| {
        it.is_empty() || it.starts_with('.') || it.ends_with(".lock") || it.ends_with('.')
    };
    let bad = name.len() > 200
        || name == "@"
        || name.starts_with('-')
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad_char)
        || name.split('/').any(bad_part);
    if bad {
        Err(Error::InvalidRef(name.chars().filter(|it| !it.is_control()).take(80).collect()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_refs_are_refused() {
        for name in ["main", "orchestrator/0198-x", "feature/ü", "v1.2", "a@b"] {
            assert!(check_ref_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "-x",
            "--upload-pack=x",
            "a..b",
            "a b",
            "a\nb",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "@",
            "@{-1}",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
        ] {
            assert!(check_ref_name(name).is_err(), "{name}");
        }
    }
}
