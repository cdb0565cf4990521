//! Pushing into a repository on this machine, without letting it run anything.
//!
//! `git push` to a path starts `git receive-pack` there, which obeys that repository's hooks and configuration. So the
//! objects are handed over as a pack and the ref is moved by a call of our own, whose configuration outweighs the
//! repository's.

use std::{fs::File, path::Path};

use crate::{Checkout, CommitId, Error, Pushed};

impl Checkout {
    pub(crate) async fn push_by_path(
        &self,
        target: &Path,
        head: &CommitId,
        expected: Option<&CommitId>,
    ) -> Result<Pushed, Error> {
        let found = self.remote_head().await?;
        if found.as_ref() == Some(head) {
            return Ok(Pushed::AlreadyThere(head.clone()));
        }
        if found.as_ref() != expected {
            return Err(Error::BranchMoved { branch: self.branch.clone(), found });
        }
        self.refuse_checked_out(target).await?;
        self.hand_over(target, head, expected).await?;

        let name = self.branch_ref();
        let old = expected.map_or_else(|| "0".repeat(40), CommitId::to_string);
        let update = self.git.call("move the branch", target);
        let update = update.args([
            "update-ref",
            "--no-deref",
            "--end-of-options",
            &name,
            head.as_str(),
            &old,
        ]);
        let moved = update.run().await?;
        if moved.status.success() {
            return Ok(Pushed::Pushed(head.clone()));
        }
        match self.remote_head().await? {
            found if found.as_ref() == expected => {
                Err(Error::Git { doing: "move the branch", detail: moved.complaint })
            }
            found => Err(Error::BranchMoved { branch: self.branch.clone(), found }),
        }
    }

    /// Moving a branch that somebody has checked out would make their files look changed.
    async fn refuse_checked_out(&self, target: &Path) -> Result<(), Error> {
        let call = self.git.call("list checked out branches", target);
        let listed = call.args(["worktree", "list", "--porcelain"]).line().await?;
        let line = format!("branch {}", self.branch_ref());
        if listed.lines().any(|it| it == line) {
            let (repository, branch) = (self.remote.name(), self.branch.clone());
            return Err(Error::Rejected {
                repository,
                branch,
                detail: "the branch is checked out there".to_owned(),
            });
        }
        Ok(())
    }

    /// Copies the objects of `head` that the target lacks, and checks that it then has all of them.
    async fn hand_over(
        &self,
        target: &Path,
        head: &CommitId,
        expected: Option<&CommitId>,
    ) -> Result<(), Error> {
        let dir = tempfile::tempdir_in(self.dir.path()).map_err(Error::io("make a pack"))?;
        let mut revisions = format!("{head}\n^{}\n", self.base_commit());
        if let Some(expected) = expected {
            revisions.push_str(&format!("^{expected}\n"));
        }
        let pack = self.git.call("make a pack", &self.git_dir);
        let stem = dir.path().join("outgoing");
        let hash = pack
            .args(["pack-objects", "--revs", "-q"])
            .args([&stem])
            .input(revisions)
            .line()
            .await?;
        let pack = File::open(dir.path().join(format!("outgoing-{hash}.pack")))
            .map_err(Error::io("open a pack"))?;

        let index = self.git.call("hand over the commits", target);
        index.args(["index-pack", "--stdin", "--strict"]).input_file(pack).succeed().await?;
        let verify = self.git.call("verify the commits that were handed over", target);
        verify
            .args(["rev-list", "--objects", "--quiet", head.as_str(), "--not", "--all"])
            .succeed()
            .await?;
        Ok(())
    }
}
