//! A folder for one part, on the disk and not in memory, so that syncing it costs what it costs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};
use rustix::process::{Signal, getuid};

use crate::processes;

/// Held while its owner lives: a folder whose lock is free was left behind.
const LOCK: &str = "owner.lock";

/// A folder that goes when this is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// An empty one below `/var/tmp/orchestrator-testbed-<uid>`. Removes those of owners who have ended, with what still runs
    /// in them.
    pub(crate) fn create(part: &str) -> Result<Self> {
        let base = PathBuf::from(format!("/var/tmp/orchestrator-testbed-{}", getuid().as_raw()));
        fs::create_dir_all(&base).with_context(|| format!("{} cannot be made", base.display()))?;
        // One at a time: a folder that is made now has no lock yet.
        let turn = File::create(base.join("turn.lock"))?;
        turn.lock()?;
        remove_left_behind(&base)?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("{part}-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove_left_behind(base: &Path) -> Result<()> {
    for entry in fs::read_dir(base)?.flatten() {
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        // Without a lock file it was on its way out when its owner was killed.
        let free = File::open(path.join(LOCK)).map_or(true, |lock| lock.try_lock().is_ok());
        if free {
            processes::signal_all(&processes::of_folder(&path), Signal::KILL);
            remove(&path);
        }
    }
    Ok(())
}

/// Removes a folder. A process that was killed a moment ago may still write into it, hence more than one try.
fn remove(path: &Path) {
    for _ in 0..50 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            _ => return,
        }
    }
}
