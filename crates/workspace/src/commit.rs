//! Commits, made from the changes alone: no working directory, so no filter or attribute has a say.

use std::fmt::Write as _;

use crate::{Checkout, CommitId, Error, message, tree};

/// Who a commit is by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
    /// When, in seconds since 1970 UTC; none is now. With a fixed time the same change makes the same commit.
    pub unix_seconds: Option<i64>,
}

impl Checkout {
    /// Commits what was applied since the last commit. None if that comes to nothing.
    ///
    /// # Errors
    /// Those of calling git.
    pub async fn commit(
        &self,
        message: &str,
        trailers: &[(&str, String)],
        author: &Author,
    ) -> Result<Option<CommitId>, Error> {
        let _turn = self.turn.lock().await;
        let (head, index_info) = {
            let state = self.state();
            (state.head.clone(), index_info(&state.changes))
        };
        if index_info.is_empty() {
            return Ok(None);
        }
        let tree = self.write_tree(&head, index_info).await?;
        let head_tree = format!("{head}^{{tree}}");
        let before = self.git.call("find the tree of a commit", &self.git_dir);
        if before.args(["rev-parse", "--verify", "--quiet", &head_tree]).line().await? == tree {
            self.state().changes.clear();
            return Ok(None);
        }
        let message = message::compose(message, trailers);
        faults::point!("workspace.commit.before");
        let commit = self.commit_tree(&tree, &head, &message, author).await?;
        faults::point!("workspace.commit.after");
        let mut state = self.state();
        state.head = commit.clone();
        state.message = message;
        state.changes.clear();
        Ok(Some(commit))
    }

    /// The tree of `head` with changes, made in an index of this call's own.
    async fn write_tree(&self, head: &CommitId, index_info: Vec<u8>) -> Result<String, Error> {
        let dir = tempfile::tempdir_in(self.dir.path()).map_err(Error::io("make an index"))?;
        let index = dir.path().join("index");
        let call = |doing| self.git.call(doing, &self.git_dir).env("GIT_INDEX_FILE", &index);
        call("read a tree").args(["read-tree", head.as_str()]).succeed().await?;
        call("put changes into a tree")
            .args(["update-index", "-z", "--index-info"])
            .input(index_info)
            .succeed()
            .await?;
        call("write a tree").args(["write-tree"]).line().await
    }

    async fn commit_tree(
        &self,
        tree: &str,
        parent: &CommitId,
        message: &str,
        author: &Author,
    ) -> Result<CommitId, Error> {
        let mut call = self
            .git
            .call("commit", &self.git_dir)
            .env("GIT_AUTHOR_NAME", identity(&author.name))
            .env("GIT_AUTHOR_EMAIL", identity(&author.email))
            .env("GIT_COMMITTER_NAME", identity(&author.name))
            .env("GIT_COMMITTER_EMAIL", identity(&author.email));
        if let Some(seconds) = author.unix_seconds {
            let date = format!("@{seconds} +0000");
            call = call.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        }
        call.args(["commit-tree", tree, "-p", parent.as_str(), "-F", "-"])
            .input(message)
            .line()
            .await?
            .parse()
    }
}

/// Changes as `git update-index --index-info` reads them. Deletions come first, so that a file can become a directory.
fn index_info(changes: &std::collections::BTreeMap<String, Option<tree::Entry>>) -> Vec<u8> {
    let mut text = String::new();
    for (path, _) in changes.iter().filter(|(_, entry)| entry.is_none()) {
        let _infallible = write!(text, "0 {}\t{path}\0", "0".repeat(40));
    }
    for (path, entry) in changes {
        if let Some(entry) = entry {
            let _infallible = write!(text, "{} {}\t{path}\0", entry.kind.mode(), entry.object);
        }
    }
    text.into_bytes()
}

/// A name or address without what would end the header that it stands in; git refuses an empty name.
fn identity(text: &str) -> String {
    let clean: String =
        text.chars().filter(|it| !it.is_control() && !"<>".contains(*it)).take(200).collect();
    match clean.trim() {
        "" => "orchestrator".to_owned(),
        some => some.to_owned(),
    }
}
