//! The files of the project.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that are not the project's own text.
const FOREIGN: [&str; 3] = [".git", "target", "node_modules"];

/// A text file. What is not UTF-8 is no text.
pub(crate) struct File {
    /// From the root of the project, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, it)| it == extension)
    }

    /// `path:line` of the byte at `offset`.
    pub(crate) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.text[..offset].matches('\n').count() + 1)
    }

    /// Places of every occurrence of a text.
    pub(crate) fn places_of(&self, needle: &str) -> Vec<String> {
        self.text.match_indices(needle).map(|(offset, _)| self.place(offset)).collect()
    }
}

pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the package of the tests is a folder of the project").to_owned()
}

/// Every text file under a folder of the project, sorted by path; `""` is the whole project.
pub(crate) fn files(under: &str) -> Vec<File> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root.join(under), &mut paths);
    paths.sort_unstable();
    let read = |path: PathBuf| {
        let text = String::from_utf8(fs::read(&path).ok()?).ok()?;
        let path = path.strip_prefix(&root).expect("it was found below the root");
        Some(File { path: path.to_string_lossy().into_owned(), text })
    };
    paths.into_iter().filter_map(read).collect()
}

/// All Rust files but generated ones, which say so in their first line.
pub(crate) fn rust_files() -> Vec<File> {
    let generated =
        |file: &File| file.text.lines().next().is_some_and(|it| it.contains("@generated"));
    let mut files = files("");
    files.retain(|file| file.has_extension("rs") && !generated(file));
    files
}

/// The Rust files that programs are made of: no tests, which have a folder of their own.
pub(crate) fn program_files() -> Vec<File> {
    let mut files = rust_files();
    files.retain(|file| {
        let mut parts = file.path.split('/');
        matches!(parts.next(), Some("crates" | "services")) && parts.nth(1) == Some("src")
    });
    files
}

/// One file by its path.
///
/// # Errors
/// A sentence for the list of violations.
pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    // A build beside us may remove files while we look.
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if !FOREIGN.iter().any(|it| name == *it) {
                collect(&path, paths);
            }
        } else if kind.is_file() {
            paths.push(path);
        }
    }
}
