//! A repository on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A bare repository with one commit on `main`.
pub(crate) struct Repository(PathBuf);

impl Repository {
    pub(crate) fn new(path: PathBuf, files: &[(&str, &str)]) -> Self {
        let source = path.with_extension("source");
        for (name, content) in files {
            let file = source.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        git(&source, &["init", "--quiet", "--initial-branch=main"]);
        git(&source, &["add", "--all"]);
        git(&source, &["commit", "--quiet", "--message", "First commit"]);
        git(&source, &["clone", "--quiet", "--bare", ".", path.to_str().unwrap()]);
        Self(path)
    }

    pub(crate) fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }

    /// The commit of a branch; none if there is no such branch.
    pub(crate) fn head(&self, branch: &str) -> Option<String> {
        let listed = git(
            &self.0,
            &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")],
        );
        Some(listed).filter(|it| !it.is_empty())
    }

    /// A file of a branch.
    pub(crate) fn file(&self, branch: &str, path: &str) -> String {
        git(&self.0, &["show", &format!("{branch}:{path}")])
    }

    /// Messages of the commits of a branch that `main` does not have, the newest first.
    pub(crate) fn messages(&self, branch: &str) -> Vec<String> {
        let text = git(&self.0, &["log", "--format=%B%x01", &format!("main..{branch}")]);
        text.split('\u{1}').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }
}

#[track_caller]
fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.org",
            "-c",
            "safe.directory=*",
        ])
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
