//! A git repository on this machine.

use std::{path::Path, process::Command};

/// Makes a repository with one commit.
pub(crate) fn make(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    git(path, &["init", "--quiet", "--initial-branch", "main"]);
    std::fs::write(path.join("README.md"), "# Queues\n").unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message", "Begin"]);
}

/// What git says.
#[track_caller]
pub(crate) fn git(path: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .current_dir(path)
        .args(["-c", "user.name=Test", "-c", "user.email=test@localhost"])
        .args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
