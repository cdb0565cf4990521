//! The directories of the workspaces, and what a crashed process left in them.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;

use crate::{Error, lock};

/// What a local repository's git processes take as the user's configuration. They run as this user on a repository that may
/// belong to another, which the operator allowed with `ORCH_GIT_ALLOW_LOCAL`; their environment is cleared of ours by git.
const LOCAL_CONFIG: &str = "[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n[gc]\n\tauto = 0\n";

/// The tree of directories that one process works in, and its share of it.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    /// Deleted when the last checkout of this process is gone.
    process: TempDir,
    /// Held as long as this process lives.
    _alive: File,
    checkouts: AtomicU64,
}

impl Layout {
    /// Makes what is missing, takes a place for this process, and deletes the places of processes that are gone.
    ///
    /// Without a directory, one of this user in the temporary directory is taken.
    pub(crate) fn new(dir: Option<&Path>) -> Result<Self, Error> {
        let root = match dir {
            Some(dir) => {
                fs::create_dir_all(dir).map_err(Error::io("make the workspace directory"))?;
                dir.join("v1")
            }
            None => {
                let user = rustix::process::geteuid().as_raw();
                let dir = std::env::temp_dir().join(format!("orchestrator-workspaces-{user}"));
                private_dir(&dir).map_err(Error::io("make a private directory for workspaces"))?;
                dir.join("v1")
            }
        };
        for path in [&root, &root.join("mirrors"), &root.join("processes"), &root.join("home")] {
            private_dir(path).map_err(Error::io("make a private directory for workspaces"))?;
        }
        let root = fs::canonicalize(&root).map_err(Error::io("find the workspace directory"))?;
        let registration = lock::open(&root.join("lock"))?;
        registration.lock().map_err(Error::io("lock the workspace directory"))?;
        fs::write(root.join("gitconfig"), LOCAL_CONFIG)
            .map_err(Error::io("write the workspace's configuration"))?;
        let processes = root.join("processes");
        collect_leftovers(&processes)?;
        let process = tempfile::Builder::new()
            .prefix("")
            .tempdir_in(&processes)
            .map_err(Error::io("make a directory for this process"))?;
        let alive = lock::open(&process.path().join("lock"))?;
        alive.lock().map_err(Error::io("lock the directory of this process"))?;
        Ok(Self { root, process, _alive: alive, checkouts: AtomicU64::new(0) })
    }

    /// Git's home and working directory. Nothing is ever put there.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(crate) fn local_config(&self) -> PathBuf {
        self.root.join("gitconfig")
    }

    pub(crate) fn mirrors(&self) -> PathBuf {
        self.root.join("mirrors")
    }

    /// A new, empty directory for a checkout, deleted when it is dropped.
    pub(crate) fn checkout_dir(&self) -> Result<TempDir, Error> {
        let number = self.checkouts.fetch_add(1, Ordering::Relaxed);
        tempfile::Builder::new()
            .prefix(&format!("{number}-"))
            .tempdir_in(self.process.path())
            .map_err(Error::io("make a directory for a checkout"))
    }
}

/// Makes a directory that only this user may enter. One that is there already must belong to this user: in a directory that
/// others can write, say `/tmp`, somebody else might have made it first.
fn private_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(path)?;
    if found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & 0o022 == 0
    {
        return Ok(());
    }
    let text = format!(
        "{} must be a directory that this user owns and nobody else can write",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// Deletes the directories of processes whose lock is free. Called under the registration lock, so that none is just being
/// made.
fn collect_leftovers(processes: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(processes).map_err(Error::io("list the directories of processes"))? {
        let path = entry.map_err(Error::io("list the directories of processes"))?.path();
        let gone = match File::open(path.join("lock")) {
            Ok(file) => lock::try_exclusive(&file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(source) => return Err(Error::Io { doing: "open the lock of a process", source }),
        };
        if gone {
            tracing::info!(path = %path.display(), "deleting the checkouts of a process that is gone");
            fs::remove_dir_all(&path)
                .map_err(Error::io("delete what a crashed process left behind"))?;
        }
    }
    Ok(())
}

/// Makes an empty bare repository by hand: no template, no hooks. Objects that it lacks are looked for in `alternate`.
pub(crate) fn make_git_dir(path: &Path, alternate: Option<&Path>) -> io::Result<()> {
    fs::create_dir_all(path.join("objects/info"))?;
    fs::create_dir_all(path.join("refs"))?;
    fs::write(path.join("HEAD"), "ref: refs/heads/none\n")?;
    fs::write(path.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
    if let Some(alternate) = alternate {
        // Git reads one path a line, and takes a quoted one apart; ours is made of plain characters below the root.
        fs::write(path.join("objects/info/alternates"), format!("{}\n", alternate.display()))?;
    }
    Ok(())
}
