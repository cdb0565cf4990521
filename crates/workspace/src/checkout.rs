//! One attempt's view of a branch.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

use crate::{
    CommitId, Error, WorkspaceArgs,
    layout::Layout,
    message,
    process::Git,
    remote::Remote,
    tree::{Entry, Kind, Tree},
};

/// An isolated checkout of a branch. It is deleted when it is dropped, or by the next start if this process crashes.
///
/// Reading sees what was [applied](Checkout::apply) at once; others see it after a [push](Checkout::push).
pub struct Checkout {
    pub(crate) git: Git,
    pub(crate) git_dir: PathBuf,
    pub(crate) remote: Remote,
    pub(crate) args: Arc<WorkspaceArgs>,
    pub(crate) branch: String,
    base: CommitId,
    state: Mutex<State>,
    /// Held by whoever changes the checkout: changes come one after the other.
    pub(crate) turn: tokio::sync::Mutex<()>,
    // Dropped in this order: the checkout, its claim on the mirror, its share of the directories.
    pub(crate) dir: TempDir,
    _mirror: File,
    _layout: Arc<Layout>,
}

/// What changes while an attempt works.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) head: CommitId,
    /// The message of `head`.
    pub(crate) message: String,
    /// What the remote's branch is known to be; none where it has no such branch.
    pub(crate) pushed: Option<CommitId>,
    /// The files of `head` with the changes since.
    pub(crate) tree: Tree,
    /// Paths changed since `head`; none is a deletion.
    pub(crate) changes: BTreeMap<String, Option<Entry>>,
}

/// Where a checkout begins.
pub(crate) struct Start {
    pub(crate) branch: String,
    pub(crate) base: CommitId,
    pub(crate) pushed: Option<CommitId>,
    pub(crate) head: CommitId,
    pub(crate) tree: Tree,
    pub(crate) message: String,
}

/// Files of a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// In the order of their paths.
    pub files: Vec<TrackedFile>,
    /// How many there are in all.
    pub total: usize,
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedFile {
    pub path: String,
    pub bytes: u64,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// `cut` says that the file goes on.
    Text { text: String, cut: bool },
    /// Not UTF-8, or with NUL bytes.
    Binary { bytes: u64 },
}

impl Checkout {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts that `open` put together, each with its own lifetime"
    )]
    pub(crate) fn new(
        start: Start,
        git: Git,
        git_dir: PathBuf,
        remote: Remote,
        args: Arc<WorkspaceArgs>,
        dir: TempDir,
        mirror: File,
        layout: Arc<Layout>,
    ) -> Self {
        let Start { branch, base, pushed, head, tree, message } = start;
        let state = Mutex::new(State { head, message, pushed, tree, changes: BTreeMap::new() });
        let turn = tokio::sync::Mutex::new(());
        Self {
            git,
            git_dir,
            remote,
            args,
            branch,
            base,
            state,
            turn,
            dir,
            _mirror: mirror,
            _layout: layout,
        }
    }

    /// The branch, without `refs/heads/`.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The commit that the branch began from, and is compared with.
    pub fn base_commit(&self) -> &CommitId {
        &self.base
    }

    /// The newest commit here, pushed or not.
    pub fn head_commit(&self) -> CommitId {
        self.state().head.clone()
    }

    /// Whether the remote had the branch when last looked at.
    pub fn branch_exists(&self) -> bool {
        self.state().pushed.is_some()
    }

    /// The message of [`Checkout::head_commit`].
    pub fn head_message(&self) -> String {
        self.state().message.clone()
    }

    /// A trailer of the head's message. On a branch that exists it says which attempt's push that is, so that a crashed
    /// attempt's work is taken over instead of done again.
    pub fn trailer(&self, key: &str) -> Option<String> {
        message::trailer(&self.state().message, key)
    }

    /// The first `limit` regular files. Symbolic links, submodules, and names that are not UTF-8 are left out.
    pub fn files(&self, limit: usize) -> Files {
        let mut found = Files::default();
        for (path, entry) in &self.state().tree {
            let (Kind::File { .. }, Ok(path)) = (entry.kind, std::str::from_utf8(path)) else {
                continue;
            };
            found.total += 1;
            if found.files.len() < limit {
                found.files.push(TrackedFile { path: path.to_owned(), bytes: entry.bytes });
            }
        }
        found
    }

    /// The first `max_bytes` of a file; none if there is no regular file at this path.
    ///
    /// # Errors
    /// Those of calling git.
    pub async fn read(&self, path: &str, max_bytes: usize) -> Result<Option<Content>, Error> {
        let entry = self.state().tree.get(path.as_bytes()).cloned();
        let Some(Entry { kind: Kind::File { .. }, object, bytes }) = entry else { return Ok(None) };
        let call = self.git.call("read a file", &self.git_dir).max_output(max_bytes);
        let output = call.args(["cat-file", "blob", &object]).run().await?;
        if !output.cut && !output.status.success() {
            return Err(Error::Git { doing: "read a file", detail: output.complaint });
        }
        Ok(Some(match text_of(output.stdout, output.cut) {
            Some(text) => Content::Text { text, cut: output.cut },
            None => Content::Binary { bytes },
        }))
    }

    /// What changed from one commit to another, as a unified diff. A diff of more than `max_bytes` ends, after a whole line,
    /// with one that says so.
    ///
    /// # Errors
    /// Those of calling git, also for commits that this checkout does not know.
    pub async fn diff(
        &self,
        from: &CommitId,
        to: &CommitId,
        max_bytes: usize,
    ) -> Result<String, Error> {
        let call = self.git.call("compare two commits", &self.git_dir).max_output(max_bytes);
        let output = call
            .args([
                "diff-tree",
                "-p",
                "-r",
                "--no-color",
                "--no-ext-diff",
                "--no-textconv",
                "--no-renames",
            ])
            .args([
                "--ignore-submodules=none",
                "--submodule=short",
                "--end-of-options",
                from.as_str(),
                to.as_str(),
            ])
            .run()
            .await?;
        if !output.cut && !output.status.success() {
            return Err(Error::Git { doing: "compare two commits", detail: output.complaint });
        }
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.cut {
            text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
            text.push_str("[the diff is longer and was cut here]\n");
        }
        Ok(text)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // The state is replaced value by value, so that a panic elsewhere leaves none half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (repository, head) = (self.remote.name(), self.head_commit());
        f.debug_struct("Checkout")
            .field("repository", &repository)
            .field("branch", &self.branch)
            .field("base", &self.base)
            .field("head", &head)
            .finish_non_exhaustive()
    }
}

/// The bytes as text, unless they are something else. A cut may split the last character.
fn text_of(bytes: Vec<u8>, cut: bool) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.utf8_error().error_len().is_none() => {
            let whole = error.utf8_error().valid_up_to();
            String::from_utf8(error.into_bytes()[..whole].to_vec()).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_bytes() {
        check(b"abc", false, Some("abc"));
        check("naïve".as_bytes(), false, Some("naïve"));
        check(b"na\xc3", true, Some("na"));
        check(b"na\xc3", false, None);
        check(b"\xff\xfe", true, None);
        check(b"a\0b", false, None);
    }

    #[track_caller]
    fn check(bytes: &[u8], cut: bool, expected: Option<&str>) {
        assert_eq!(text_of(bytes.to_vec(), cut).as_deref(), expected);
    }
}
