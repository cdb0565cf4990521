//! Repositories to serve.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, ensure};

/// Makes a bare repository that takes pushes, with one commit of `files` on `main`.
pub(super) fn create(bare: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    ensure!(!bare.exists(), "it is there already");
    fs::create_dir_all(bare)?;
    git(bare, &["init", "--quiet", "--bare", "--initial-branch=main", "."])?;
    git(bare, &["config", "http.receivepack", "true"])?;
    let work = tempfile::tempdir()?;
    git(work.path(), &["init", "--quiet", "--initial-branch=main", "."])?;
    for (path, content) in files {
        let path = work.path().join(path);
        fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        fs::write(path, content)?;
    }
    git(work.path(), &["add", "--all", "--force"])?;
    git(work.path(), &["commit", "--quiet", "--allow-empty", "--message", "First commit"])?;
    let target = bare.to_str().context("a path of the temporary directory is text")?;
    git(work.path(), &["push", "--quiet", target, "main"])?;
    Ok(())
}

fn git(dir: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Person",
            "-c",
            "user.email=person@example.org",
            "-c",
            "safe.directory=*",
        ])
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .context("start git")?;
    ensure!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
