//! Pushing a branch: only ours, only onto what was there, and any number of times.

use crate::{
    Checkout, CommitId, Error,
    mirror::{self, Refs},
    open::check_ref_name,
};

/// The only branches that are ever pushed.
const OURS: &str = "orchestrator/";

/// What a push came to. The remote has the commit either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    Pushed(CommitId),
    /// The remote had it already: nothing was new, or an earlier push whose answer was lost had arrived.
    AlreadyThere(CommitId),
}

impl Checkout {
    /// Pushes [`Checkout::head_commit`] to the branch, if the remote's branch is still what it was when this checkout was
    /// opened. Safe to repeat after any error.
    ///
    /// # Errors
    /// [`Error::BranchMoved`] if somebody else pushed meanwhile; [`Error::NotAllowed`] for branches that do not begin with
    /// `orchestrator/`; [`Error::Rejected`] if a rule of the other side forbids it; those of speaking to it.
    pub async fn push(&self) -> Result<Pushed, Error> {
        check_ref_name(&self.branch)?;
        if !self.branch.starts_with(OURS) {
            return Err(Error::NotAllowed(format!(
                "{} may not be pushed: only branches that begin with {OURS} are",
                self.branch
            )));
        }
        let _turn = self.turn.lock().await;
        let (head, expected) = {
            let state = self.state();
            (state.head.clone(), state.pushed.clone())
        };
        if expected.as_ref() == Some(&head) {
            return Ok(Pushed::AlreadyThere(head));
        }
        faults::point!("workspace.push.before");
        let pushed = match &self.remote {
            crate::remote::Remote::Web { .. } => {
                self.push_by_http(&head, expected.as_ref()).await?
            }
            crate::remote::Remote::Local { git_dir, .. } => {
                self.push_by_path(git_dir, &head, expected.as_ref()).await?
            }
        };
        faults::point!("workspace.push.after");
        self.state().pushed = Some(head);
        Ok(pushed)
    }

    /// The full name of the branch.
    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// What the remote's branch is, now.
    pub(crate) async fn remote_head(&self) -> Result<Option<CommitId>, Error> {
        let name = self.branch_ref();
        let mut refs: Refs =
            mirror::advertised(&self.git, &self.remote, &self.git_dir, std::slice::from_ref(&name))
                .await?;
        Ok(refs.remove(&name))
    }

    async fn push_by_http(
        &self,
        head: &CommitId,
        expected: Option<&CommitId>,
    ) -> Result<Pushed, Error> {
        let doing = "push the branch";
        let name = self.branch_ref();
        let lease = format!("--force-with-lease={name}:{}", expected.map_or("", CommitId::as_str));
        let call = self.remote.call(&self.git, doing, &self.git_dir);
        let output = call
            .args([
                "push",
                "--porcelain",
                "--no-verify",
                "--no-follow-tags",
                "--recurse-submodules=no",
                "--signed=no",
            ])
            .args([lease.as_str(), "--end-of-options"])
            .args([self.remote.address()])
            .args([format!("{head}:{name}")])
            .run()
            .await?;
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        match verdict(&report, &name) {
            Verdict::Taken if output.status.success() => Ok(Pushed::Pushed(head.clone())),
            Verdict::UpToDate => Ok(Pushed::AlreadyThere(head.clone())),
            Verdict::Refused(reason) => {
                let transport = Error::from_transport(&self.remote.name(), doing, output.complaint);
                self.explain_refusal(head, reason, transport).await
            }
            Verdict::Taken | Verdict::Unknown => {
                Err(Error::from_transport(&self.remote.name(), doing, output.complaint))
            }
        }
    }

    /// A refusal means a moved branch, a broken connection (with or without the push having arrived), or a rule of the other
    /// side. Git also calls it one if no report came.
    async fn explain_refusal(
        &self,
        head: &CommitId,
        reason: String,
        transport: Error,
    ) -> Result<Pushed, Error> {
        let found = self.remote_head().await?;
        if found.as_ref() == Some(head) {
            return Ok(Pushed::AlreadyThere(head.clone()));
        }
        if found != self.state().pushed {
            return Err(Error::BranchMoved { branch: self.branch.clone(), found });
        }
        if matches!(transport, Error::Unavailable { .. } | Error::Unauthorised { .. }) {
            return Err(transport);
        }
        let (repository, branch) = (self.remote.name(), self.branch.clone());
        Err(Error::Rejected { repository, branch, detail: reason })
    }
}

/// What `git push --porcelain` reports of a ref.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    UpToDate,
    Refused(String),
    Unknown,
}

/// Lines are `<flag>\t<from>:<to>\t<summary>`; see git-push(1), "OUTPUT".
fn verdict(report: &str, name: &str) -> Verdict {
    for line in report.lines() {
        let mut fields = line.split('\t');
        let (Some(flag), Some(refs), Some(summary)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if refs.split_once(':').is_none_or(|(_, to)| to != name) {
            continue;
        }
        return match flag {
            " " | "+" | "*" => Verdict::Taken,
            "=" => Verdict::UpToDate,
            _ => {
                Verdict::Refused(summary.chars().filter(|it| !it.is_control()).take(300).collect())
            }
        };
    }
    Verdict::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_a_push_is_understood() {
        check("To x\n*\tabc:refs/heads/orchestrator/1\t[new branch]\nDone\n", Verdict::Taken);
        check("To x\n \tabc:refs/heads/orchestrator/1\t1..2\nDone\n", Verdict::Taken);
        check("To x\n=\tabc:refs/heads/orchestrator/1\t[up to date]\nDone\n", Verdict::UpToDate);
        let stale = Verdict::Refused("[rejected] (stale info)".to_owned());
        check("To x\n!\tabc:refs/heads/orchestrator/1\t[rejected] (stale info)\nDone\n", stale);
        check("To x\n*\tabc:refs/heads/orchestrator/12\t[new branch]\n", Verdict::Unknown);
        check("", Verdict::Unknown);
    }

    #[track_caller]
    fn check(report: &str, expected: Verdict) {
        assert_eq!(verdict(report, "refs/heads/orchestrator/1"), expected, "{report}");
    }
}
