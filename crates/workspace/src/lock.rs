//! Locks between processes, by `flock`: whatever a process holds is free as soon as it is gone, however it went.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::Error;

/// How often a lock that somebody else holds is tried again. Locks are held for the time of a fetch, and rarely.
const POLL: Duration = Duration::from_millis(20);

/// The file of a lock; made if it is not there.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::io("open a lock file"))
}

/// Whether the lock could be had for oneself, right now.
pub(crate) fn try_exclusive(file: &File) -> Result<bool, Error> {
    taken(file.try_lock())
}

/// Waits until the lock can be had for oneself. It is given back when the file is dropped.
pub(crate) async fn exclusive(file: File, wait: &Wait<'_>) -> Result<File, Error> {
    wait.until(|| taken(file.try_lock())).await?;
    Ok(file)
}

/// Waits until the lock can be had together with others.
pub(crate) async fn shared(file: File, wait: &Wait<'_>) -> Result<File, Error> {
    wait.until(|| taken(file.try_lock_shared())).await?;
    Ok(file)
}

/// How long to wait for a lock, and what for.
pub(crate) struct Wait<'a> {
    pub(crate) doing: &'static str,
    pub(crate) limit: Duration,
    pub(crate) cancel: &'a CancellationToken,
}

impl Wait<'_> {
    async fn until(&self, mut taken: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
        let poll = async {
            while !taken()? {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        let late = Err(Error::TimedOut { doing: self.doing, seconds: self.limit.as_secs() });
        tokio::select! {
            () = self.cancel.cancelled() => Err(Error::Cancelled { doing: self.doing }),
            polled = tokio::time::timeout(self.limit, poll) => polled.unwrap_or(late),
        }
    }
}

fn taken(attempt: Result<(), TryLockError>) -> Result<bool, Error> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(Error::Io { doing: "lock a file", source }),
    }
}
