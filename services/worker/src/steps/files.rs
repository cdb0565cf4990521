//! Which files of a repository an agent is shown, and how much of them.

use std::collections::BTreeSet;

use agent_executor::Origin;
use workspace::{Checkout, Content, TrackedFile};

use super::{context::Context, error::StepError};

/// Files that are listed. The list of a larger repository is its beginning, and says so.
const LISTED: usize = 4_000;
/// The share of the context that the list may take, as a divisor.
const LIST_SHARE: usize = 4;
/// The share of what is left that one file may take, as a divisor.
const FILE_SHARE: usize = 2;
/// Files that are read for one context; each is a call of git.
const READ: usize = 32;
/// A file that is shown only to give an impression is no larger than this.
const SMALL_BYTES: u64 = 8 * 1024;

/// Adds the names of the repository's files.
pub(super) fn add_list(context: &mut Context, checkout: &Checkout) {
    let found = checkout.files(LISTED);
    let room = context.left() / LIST_SHARE;
    let mut text = String::new();
    let mut shown = 0;
    for file in &found.files {
        if text.len() + file.path.len() + 1 > room {
            break;
        }
        text.push_str(&file.path);
        text.push('\n');
        shown += 1;
    }
    if shown < found.total {
        text.push_str(&format!("[and {} more files]\n", found.total - shown));
    }
    context.add(Origin::FileList, "files of the repository", &text);
}

/// Adds the content of these files, in this order, each once, as far as there is room and they are text.
pub(super) async fn add_contents(
    context: &mut Context,
    checkout: &Checkout,
    paths: impl IntoIterator<Item = String>,
) -> Result<(), StepError> {
    let mut seen = BTreeSet::new();
    for path in paths {
        if seen.len() == READ || context.left() == 0 {
            return Ok(());
        }
        if !seen.insert(path.clone()) {
            continue;
        }
        let most = context.left() / FILE_SHARE;
        match checkout.read(&path, most).await? {
            Some(Content::Text { text, cut: false }) => {
                context.add(Origin::RepositoryFile, path, &text)
            }
            Some(Content::Text { text, cut: true }) => {
                let title = format!("{path} (only its first {} bytes)", text.len());
                context.add(Origin::RepositoryFile, title, &text);
            }
            Some(Content::Binary { .. }) | None => {}
        }
    }
    Ok(())
}

/// The files under paths that name files or folders, in the order of the paths.
pub(super) fn under(checkout: &Checkout, paths: &[String]) -> Vec<String> {
    let files = checkout.files(usize::MAX).files;
    paths.iter().flat_map(|scope| within(&files, scope)).collect()
}

fn within(files: &[TrackedFile], scope: &str) -> Vec<String> {
    let scope = scope.trim_start_matches("./").trim_end_matches('/');
    let inside = |path: &str| match path.strip_prefix(scope) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || scope.is_empty(),
        None => scope == ".",
    };
    files.iter().filter(|file| inside(&file.path)).map(|file| file.path.clone()).collect()
}

/// Files that give an impression of a repository, the most telling first.
pub(super) fn telling(checkout: &Checkout) -> Vec<String> {
    ranked(checkout.files(LISTED).files)
}

fn ranked(mut files: Vec<TrackedFile>) -> Vec<String> {
    files.retain(|file| rank(&file.path) == 0 || file.bytes <= SMALL_BYTES);
    files.sort_by_cached_key(|file| {
        (rank(&file.path), file.path.matches('/').count(), file.bytes, file.path.clone())
    });
    files.into_iter().take(READ).map(|file| file.path).collect()
}

/// How much a file tells about its repository; 0 is most.
fn rank(path: &str) -> u8 {
    let lower = path.to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let at_root = !lower.contains('/');
    match name {
        _ if at_root && name.starts_with("readme") => 0,
        "seed.yaml" | "architecture.md" | "contributing.md" | "agents.md" if at_root => 1,
        "cargo.toml" | "package.json" | "pyproject.toml" | "requirements.txt" | "go.mod"
        | "pom.xml" | "makefile" => 2,
        _ if name.ends_with(".lock") || name.ends_with("-lock.json") || name.starts_with('.') => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_comes_first_then_what_says_how_it_is_built_then_small_files() {
        let files = [
            ("Cargo.lock", 10),
            ("README.md", 100_000),
            ("src/deep/er/a.rs", 10),
            ("src/b.rs", 20),
            ("src/huge.rs", 1_000_000),
            ("src/a.rs", 10),
            ("crates/x/Cargo.toml", 10),
            ("Cargo.toml", 10),
            ("docs/readme.md", 30),
        ];
        assert_eq!(
            ranked(tracked(&files)),
            [
                "README.md",
                "Cargo.toml",
                "crates/x/Cargo.toml",
                "src/a.rs",
                "src/b.rs",
                "docs/readme.md",
                "src/deep/er/a.rs",
                "Cargo.lock"
            ]
        );
    }

    #[test]
    fn a_scope_is_a_file_or_everything_under_a_folder() {
        let files = tracked(&[("src/a.rs", 1), ("src/b/c.rs", 1), ("src2/a.rs", 1)]);
        assert_eq!(within(&files, "src/a.rs"), ["src/a.rs"]);
        assert_eq!(within(&files, "./src/"), ["src/a.rs", "src/b/c.rs"]);
        assert_eq!(within(&files, "."), ["src/a.rs", "src/b/c.rs", "src2/a.rs"]);
        assert!(within(&files, "none").is_empty());
    }

    fn tracked(files: &[(&str, u64)]) -> Vec<TrackedFile> {
        files
            .iter()
            .map(|(path, bytes)| TrackedFile { path: (*path).to_owned(), bytes: *bytes })
            .collect()
    }
}
