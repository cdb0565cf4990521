//! Which paths a change may name.
//!
//! A path is judged as the strictest file system would see it (HFS+ ignores some characters, NTFS trailing dots and spaces,
//! both ignore case), because the repository is checked out on machines that this program never sees.

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the path is empty")]
    Empty,
    #[error("the path is longer than 1024 bytes, or a part of it than 255")]
    TooLong,
    #[error("the path must be relative to the repository's root")]
    Absolute,
    #[error("the path has an empty part, `.` or `..`")]
    Traversal,
    #[error("the path has a control, invisible or direction-changing character")]
    Invisible,
    #[error("the path has a backslash or a colon")]
    Separator,
    #[error(
        "a part of the path ends in a dot or a space, or looks like a short name of another file"
    )]
    WindowsAlias,
    #[error("the path leads into a .git directory")]
    GitDirectory,
    #[error("`{0}` is protected: no agent changes it")]
    Protected(String),
    #[error("`{0}` is a symbolic link, which is neither followed nor changed")]
    Symlink(String),
    #[error("`{0}` is a submodule, which is neither entered nor changed")]
    Submodule(String),
    #[error("`{0}` is a file, not a directory")]
    NotADirectory(String),
    #[error("it is a directory; name its files")]
    IsADirectory,
    #[error("there is no such file to delete")]
    Missing,
    #[error("it is named twice in one change")]
    Twice,
    #[error("its {bytes} bytes are more than the {limit} that a file may have")]
    TooLarge { bytes: usize, limit: usize },
    #[error("{files} files are more than the {limit} that one change may touch")]
    TooManyFiles { files: usize, limit: usize },
}

/// Judges a path by itself, before anything is looked up.
pub(crate) fn check(path: &str, protected: &[String]) -> Result<(), Reason> {
    if path.is_empty() {
        return Err(Reason::Empty);
    }
    if path.len() > 1_024 || path.split('/').any(|part| part.len() > 255) {
        return Err(Reason::TooLong);
    }
    if path.chars().any(is_invisible) {
        return Err(Reason::Invisible);
    }
    if path.starts_with('/') {
        return Err(Reason::Absolute);
    }
    if path.contains(['\\', ':']) {
        return Err(Reason::Separator);
    }
    for part in path.split('/') {
        check_part(part)?;
    }
    let folded = fold(path);
    match protected.iter().find(|it| covers(&fold(it.trim()), &folded)) {
        Some(entry) => Err(Reason::Protected(entry.trim().to_owned())),
        None => Ok(()),
    }
}

fn check_part(part: &str) -> Result<(), Reason> {
    if matches!(part, "" | "." | "..") {
        return Err(Reason::Traversal);
    }
    if matches!(fold(part).trim_end_matches(['.', ' ']), ".git" | "git~1") {
        return Err(Reason::GitDirectory);
    }
    if part.ends_with(['.', ' ']) || is_short_name(part) {
        return Err(Reason::WindowsAlias);
    }
    Ok(())
}

/// Whether NTFS could take it for the short form of a longer name: `SEED~1.YAM`, `GITHUB~1`.
fn is_short_name(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    stem.rsplit_once('~').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
    })
}

/// Whether a protected entry stands for a path; both folded.
fn covers(entry: &str, path: &str) -> bool {
    match entry.strip_suffix('/') {
        Some(directory) => path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        None => !entry.is_empty() && path == entry,
    }
}

/// Case folding that also meets `ſ` and the Kelvin sign, which fold to ASCII letters on some file systems.
fn fold(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

/// Characters that a reader does not see, or that HFS+ leaves out when it compares names.
fn is_invisible(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_paths_are_taken() {
        for path in [
            "README.md",
            "src/lib.rs",
            "a/b/c/d",
            ".gitignore",
            ".gitattributes",
            ".githubx/y",
            "x/.github/y",
            "docs/seed.yaml",
            "ünï/cödé.txt",
            "with space.txt",
            "git",
            "a..b",
            "...x",
            "seed.yaml.md",
            "~x",
            "@",
            "-rf",
        ] {
            assert_eq!(check(path, &protected()), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_or_deceive_are_refused() {
        use Reason::*;
        refused("", Empty);
        refused(&"a".repeat(256), TooLong);
        refused(&"a/".repeat(600), TooLong);
        refused("/etc/passwd", Absolute);
        refused("../x", Traversal);
        refused("a/../../x", Traversal);
        refused("a/./b", Traversal);
        refused("a//b", Traversal);
        refused("a/", Traversal);
        refused(".", Traversal);
        refused("a\0b", Invisible);
        refused("a\nb", Invisible);
        refused("a\u{1b}[2Jb", Invisible);
        refused(".g\u{200c}it/config", Invisible);
        refused("a\u{202e}txt.exe", Invisible);
        refused("..\\x", Separator);
        refused("C:/x", Separator);
        refused(".git::$INDEX_ALLOCATION/config", Separator);
        refused(".git/config", GitDirectory);
        refused(".git", GitDirectory);
        refused("sub/.GIT/hooks/post-commit", GitDirectory);
        refused(".gIt/config", GitDirectory);
        refused(".git /config", GitDirectory);
        refused(".git./config", GitDirectory);
        refused("GIT~1/config", GitDirectory);
        refused("GITHUB~1/workflows/x.yml", WindowsAlias);
        refused("SEED~1.YAM", WindowsAlias);
        refused("a./b", WindowsAlias);
        refused("a /b", WindowsAlias);
    }

    #[test]
    fn protected_paths_are_refused_in_every_spelling() {
        for path in [".github/workflows/ci.yml", ".GitHub/x", ".github", ".GITHUB/CODEOWNERS"] {
            refused(path, Reason::Protected(".github/".to_owned()));
        }
        for path in ["seed.yaml", "SEED.YAML", "Seed.yaml", "ſeed.yaml"] {
            refused(path, Reason::Protected("seed.yaml".to_owned()));
        }
        refused(".gitmodules", Reason::Protected(".gitmodules".to_owned()));
    }

    #[track_caller]
    fn refused(path: &str, reason: Reason) {
        assert_eq!(check(path, &protected()), Err(reason), "{path:?}");
    }

    fn protected() -> Vec<String> {
        crate::WorkspaceArgs::default().workspace_protected_paths
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_accepted_path_leaves_the_root_or_enters_a_git_directory(
            parts in prop::collection::vec(part(), 1..6), any in ".{0,24}", whole in any::<bool>(),
        ) {
            let path = if whole { parts.concat() } else { any };
            if check(&path, &protected()).is_ok() {
                let inside = Path::new(&path).components().all(|it| matches!(it, Component::Normal(_)));
                prop_assert!(inside, "{path:?} leaves the root");
                let spelled: String = path.chars().filter(|it| !it.is_control()).flat_map(char::to_lowercase).collect();
                for part in spelled.split(['/', '\\']) {
                    let part = part.trim_end_matches(['.', ' ']);
                    prop_assert!(part != ".git" && part != "git~1" && !part.starts_with(".git:"), "{path:?} is in .git");
                }
                prop_assert!(!spelled.starts_with(".github/") && spelled != "seed.yaml", "{path:?} is protected");
            }
        }
    }

    /// Pieces that together make most of the tricks.
    fn part() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            ".",
            "..",
            "/",
            "\\",
            ".git",
            ".GiT",
            "git~1",
            "GITHUB~1",
            " ",
            "\u{200c}",
            "\0",
            ":",
            "a",
            "seed.yaml",
            ".github",
            "S",
            "eed.yaml",
            "~",
            "1",
            "ſ",
            "x/y",
        ])
        .prop_map(str::to_owned)
    }
}
