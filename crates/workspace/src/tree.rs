//! The files of a commit, as git lists them.

use std::{collections::BTreeMap, path::Path};

use crate::{CommitId, Error, process::Git};

/// Largest listing of a tree: about half a million files.
const LISTING_BYTES: usize = 64 * 1024 * 1024;

/// What a path of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File {
        executable: bool,
    },
    Symlink,
    /// A gitlink: a commit of another repository. Neither fetched nor changed.
    Submodule,
}

impl Kind {
    /// How git writes it.
    pub(crate) const fn mode(self) -> &'static str {
        match self {
            Self::File { executable: false } => "100644",
            Self::File { executable: true } => "100755",
            Self::Symlink => "120000",
            Self::Submodule => "160000",
        }
    }
}

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) object: String,
    pub(crate) bytes: u64,
}

/// A tree, by path. Paths are bytes: git does not say that they are UTF-8.
pub(crate) type Tree = BTreeMap<Vec<u8>, Entry>;

/// Whether a tree has anything below a path, as if it were a directory, apart from what `but` says.
pub(crate) fn is_directory(tree: &Tree, path: &str, but: impl Fn(&[u8]) -> bool) -> bool {
    let prefix = format!("{path}/").into_bytes();
    let below = tree.range(prefix.clone()..).take_while(|(it, _)| it.starts_with(&prefix));
    below.into_iter().any(|(it, _)| !but(it))
}

/// Reads the tree of a commit.
pub(crate) async fn read(git: &Git, git_dir: &Path, commit: &CommitId) -> Result<Tree, Error> {
    let call = git.call("list the files", git_dir).max_output(LISTING_BYTES);
    let listed =
        call.args(["ls-tree", "-r", "-l", "-z", "--full-tree", commit.as_str()]).succeed().await?;
    let entries =
        listed.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(parse);
    entries.collect::<Option<Tree>>().ok_or_else(|| Error::Git {
        doing: "list the files",
        detail: "an entry could not be read".to_owned(),
    })
}

/// `<mode> <type> <object> <size>\t<path>`; the size is padded, and `-` for a submodule.
fn parse(entry: &[u8]) -> Option<(Vec<u8>, Entry)> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let facts = std::str::from_utf8(&entry[..tab]).ok()?;
    let mut words = facts.split_whitespace();
    let (mode, _type, object, bytes) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let kind = match mode {
        "120000" => Kind::Symlink,
        "160000" => Kind::Submodule,
        // Old tools also wrote 100664.
        _ => Kind::File { executable: mode == "100755" },
    };
    let entry_of = Entry { kind, object: object.to_owned(), bytes: bytes.parse().unwrap_or(0) };
    Some((entry[tab + 1..].to_vec(), entry_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_entry_by_entry() {
        let id = "1".repeat(40);
        let file = |executable, bytes| Entry {
            kind: Kind::File { executable },
            object: id.clone(),
            bytes,
        };
        check(&format!("100644 blob {id}      12\ta b/c\td"), Some(("a b/c\td", file(false, 12))));
        check(&format!("100755 blob {id}       0\trun"), Some(("run", file(true, 0))));
        let link = Entry { kind: Kind::Symlink, object: id.clone(), bytes: 4 };
        check(&format!("120000 blob {id}       4\tlink"), Some(("link", link)));
        let module = Entry { kind: Kind::Submodule, object: id.clone(), bytes: 0 };
        check(&format!("160000 commit {id}       -\tsub"), Some(("sub", module)));
        check("nonsense", None);
    }

    #[track_caller]
    fn check(entry: &str, expected: Option<(&str, Entry)>) {
        assert_eq!(
            parse(entry.as_bytes()),
            expected.map(|(path, entry)| (path.as_bytes().to_vec(), entry))
        );
    }
}
