//! Changes to files: all of a set are made, or none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
};

use crate::{
    Checkout, Error,
    path::{self, Reason},
    tree::{self, Entry, Kind, Tree},
};

/// What is to become of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Relative to the repository's root, parts separated by `/`.
    pub path: String,
    pub action: Action,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The whole new content. A file that is executable stays so; a new one is not.
    Write {
        content: String,
    },
    Delete,
}

/// A change that may not be made, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub path: String,
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: String = self.path.chars().take(200).collect();
        write!(f, "{path:?}: {}", self.reason)
    }
}

/// What a set of changes came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Paths whose content is now another, in order. A write of what was there already is none.
    pub written: Vec<String>,
    pub deleted: Vec<String>,
}

impl Checkout {
    /// Makes changes in this checkout. They are committed by [`Checkout::commit`].
    ///
    /// # Errors
    /// [`Error::Refused`] with every change that may not be made; then none is made. Else those of calling git.
    pub async fn apply(&self, changes: &[Change]) -> Result<Applied, Error> {
        let _turn = self.turn.lock().await;
        let refusals = {
            let judge = Judge {
                protected: &self.args.workspace_protected_paths,
                max_file_bytes: self.args.workspace_max_file_bytes,
                max_files: self.args.workspace_max_changed_files,
            };
            judge.refusals(changes, &self.state().tree)
        };
        if !refusals.is_empty() {
            return Err(Error::Refused(refusals));
        }
        let objects = self.store_contents(changes).await?;
        let mut objects = objects.into_iter();
        let mut applied = Applied::default();
        let mut state = self.state();
        for Change { path, action } in changes {
            let before = state.tree.get(path.as_bytes()).cloned();
            let after = match action {
                Action::Delete => None,
                Action::Write { content } => Some(Entry {
                    kind: before
                        .as_ref()
                        .map_or(Kind::File { executable: false }, |entry| entry.kind),
                    object: objects
                        .next()
                        .expect("git names one object for each content, which was counted"),
                    bytes: content.len() as u64,
                }),
            };
            if after == before {
                continue;
            }
            match &after {
                Some(entry) => {
                    state.tree.insert(path.clone().into_bytes(), entry.clone());
                    applied.written.push(path.clone());
                }
                None => {
                    state.tree.remove(path.as_bytes());
                    applied.deleted.push(path.clone());
                }
            }
            state.changes.insert(path.clone(), after);
        }
        applied.written.sort_unstable();
        applied.deleted.sort_unstable();
        Ok(applied)
    }

    /// Puts the contents to be written into git's store, as they are, and gives their names in the same order.
    async fn store_contents(&self, changes: &[Change]) -> Result<Vec<String>, Error> {
        let doing = "store the content of files";
        let dir = tempfile::tempdir_in(self.dir.path()).map_err(Error::io(doing))?;
        let mut paths = String::new();
        let mut count = 0;
        for change in changes {
            if let Action::Write { content } = &change.action {
                let path = dir.path().join(count.to_string());
                fs::write(&path, content).map_err(Error::io(doing))?;
                paths.push_str(&path.to_string_lossy());
                paths.push('\n');
                count += 1;
            }
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let call = self.git.call(doing, &self.git_dir).args([
            "hash-object",
            "-w",
            "--no-filters",
            "--stdin-paths",
        ]);
        let objects: Vec<String> =
            call.input(paths).line().await?.lines().map(str::to_owned).collect();
        if objects.len() == count {
            Ok(objects)
        } else {
            Err(Error::Git {
                doing,
                detail: format!("{count} files became {} objects", objects.len()),
            })
        }
    }
}

/// The rules for a set of changes.
struct Judge<'a> {
    protected: &'a [String],
    max_file_bytes: usize,
    max_files: usize,
}

impl Judge<'_> {
    fn refusals(&self, changes: &[Change], tree: &Tree) -> Vec<Refusal> {
        if changes.len() > self.max_files {
            let reason = Reason::TooManyFiles { files: changes.len(), limit: self.max_files };
            return vec![Refusal { path: String::new(), reason }];
        }
        let set = Set::of(changes);
        let mut seen = BTreeSet::new();
        let judged = changes.iter().map(|change| {
            let twice = !seen.insert(change.path.as_str());
            (change, if twice { Err(Reason::Twice) } else { self.judge(change, tree, &set) })
        });
        judged
            .filter_map(|(change, verdict)| {
                verdict.err().map(|reason| Refusal { path: change.path.clone(), reason })
            })
            .collect()
    }

    fn judge(&self, change: &Change, tree: &Tree, set: &Set<'_>) -> Result<(), Reason> {
        let path = change.path.as_str();
        path::check(path, self.protected)?;
        let found = tree.get(path.as_bytes()).map(|entry| entry.kind);
        match found {
            Some(Kind::Symlink) => return Err(Reason::Symlink(path.to_owned())),
            Some(Kind::Submodule) => return Err(Reason::Submodule(path.to_owned())),
            Some(Kind::File { .. }) | None => {}
        }
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            match tree.get(parent.as_bytes()).map(|entry| entry.kind) {
                Some(Kind::Symlink) => return Err(Reason::Symlink(parent.to_owned())),
                Some(Kind::Submodule) => return Err(Reason::Submodule(parent.to_owned())),
                Some(Kind::File { .. }) | None => {}
            }
            let writes = matches!(change.action, Action::Write { .. });
            if writes && set.has_file(parent, tree) {
                return Err(Reason::NotADirectory(parent.to_owned()));
            }
        }
        match &change.action {
            Action::Delete if found.is_some() => Ok(()),
            Action::Delete if tree::is_directory(tree, path, |_| false) => {
                Err(Reason::IsADirectory)
            }
            Action::Delete => Err(Reason::Missing),
            Action::Write { .. } if tree::is_directory(tree, path, |it| set.deletes(it)) => {
                Err(Reason::IsADirectory)
            }
            Action::Write { content } if content.len() > self.max_file_bytes => {
                Err(Reason::TooLarge { bytes: content.len(), limit: self.max_file_bytes })
            }
            Action::Write { .. } => Ok(()),
        }
    }
}

/// What a set of changes does to each path, to judge one change beside the others.
struct Set<'a>(BTreeMap<&'a [u8], &'a Action>);

impl<'a> Set<'a> {
    fn of(changes: &'a [Change]) -> Self {
        Self(changes.iter().map(|change| (change.path.as_bytes(), &change.action)).collect())
    }

    fn deletes(&self, path: &[u8]) -> bool {
        matches!(self.0.get(path), Some(Action::Delete))
    }

    /// Whether a path is a file once the changes are made.
    fn has_file(&self, path: &str, tree: &Tree) -> bool {
        match self.0.get(path.as_bytes()) {
            Some(Action::Write { .. }) => true,
            Some(Action::Delete) => false,
            None => tree.contains_key(path.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_judged_with_what_is_there_and_with_each_other() {
        use Reason::*;
        check(&[delete("link/x")], &[("link/x", Symlink("link".to_owned()))]);
        check(&[delete("file/x")], &[("file/x", Missing)]);
        check(&[write("new.txt"), write("dir/other"), delete("file")], &[]);
        check(&[write("link")], &[("link", Symlink("link".to_owned()))]);
        check(&[delete("link")], &[("link", Symlink("link".to_owned()))]);
        check(&[write("link/x")], &[("link/x", Symlink("link".to_owned()))]);
        check(&[write("sub")], &[("sub", Submodule("sub".to_owned()))]);
        check(&[write("sub/deep/x")], &[("sub/deep/x", Submodule("sub".to_owned()))]);
        check(&[write("file/x")], &[("file/x", NotADirectory("file".to_owned()))]);
        check(&[delete("file"), write("file/x")], &[]);
        check(&[write("a"), write("a/b")], &[("a/b", NotADirectory("a".to_owned()))]);
        check(&[write("dir")], &[("dir", IsADirectory)]);
        check(&[delete("dir/inner"), write("dir")], &[]);
        check(&[delete("dir")], &[("dir", IsADirectory)]);
        check(&[delete("absent")], &[("absent", Missing)]);
        check(&[write("x"), write("x")], &[("x", Twice)]);
        check(&[write("../x"), write("ok")], &[("../x", Traversal)]);
        check(&[sized("big", 11)], &[("big", TooLarge { bytes: 11, limit: 10 })]);
        check(&[sized("fits", 10)], &[]);
        let many: Vec<Change> = (0..5).map(|number| write(&number.to_string())).collect();
        check(&many, &[("", TooManyFiles { files: 5, limit: 4 })]);
    }

    #[track_caller]
    fn check(changes: &[Change], expected: &[(&str, Reason)]) {
        let entry = |kind| Entry { kind, object: "0".repeat(40), bytes: 1 };
        let tree = Tree::from([
            (b"file".to_vec(), entry(Kind::File { executable: false })),
            (b"dir/inner".to_vec(), entry(Kind::File { executable: true })),
            (b"link".to_vec(), entry(Kind::Symlink)),
            (b"sub".to_vec(), entry(Kind::Submodule)),
        ]);
        let judge = Judge { protected: &[], max_file_bytes: 10, max_files: 4 };
        let expected: Vec<Refusal> = expected
            .iter()
            .map(|(path, reason)| Refusal { path: (*path).to_owned(), reason: reason.clone() })
            .collect();
        assert_eq!(judge.refusals(changes, &tree), expected, "{changes:?}");
    }

    fn write(path: &str) -> Change {
        sized(path, 1)
    }

    fn sized(path: &str, bytes: usize) -> Change {
        Change { path: path.to_owned(), action: Action::Write { content: "x".repeat(bytes) } }
    }

    fn delete(path: &str) -> Change {
        Change { path: path.to_owned(), action: Action::Delete }
    }
}
