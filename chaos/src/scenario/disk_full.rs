//! The disk under the database is full to the brim, and then somebody makes room.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use testbed::Postgres;

use super::SHORT;
use crate::stage::{Stage, tell};

const MEGABYTES: usize = 128;
/// What PostgreSQL makes do with on it: little history to recover from, few connections.
const OPTIONS: &[(&str, &str)] =
    &[("max_wal_size", "32MB"), ("min_wal_size", "32MB"), ("shared_buffers", "16MB")];

/// A small file system in memory. It goes when this is dropped.
pub(crate) struct SmallDisk {
    dir: PathBuf,
}

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// Where we may not mount anything.
    pub(crate) fn mount() -> Result<Self> {
        let dir = PathBuf::from("/var/tmp/orchestrator-chaos-disk");
        fs::create_dir_all(&dir)?;
        // One that a killed run left behind.
        while run("umount", &[&dir.to_string_lossy()]).is_ok() {}
        let size = format!("size={MEGABYTES}m");
        let place = dir.to_string_lossy().into_owned();
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &place])
            .context("a small disk cannot be mounted: that takes root and the right to mount")?;
        Ok(Self { dir })
    }

    /// Starts a server on it.
    pub(crate) async fn postgres(&self) -> Result<Postgres> {
        Postgres::start_on(&self.dir, OPTIONS).await
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _left = run("umount", &["--lazy", &self.dir.to_string_lossy()]);
        let _left = fs::remove_dir(&self.dir);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (times, seconds, tasks) = stage.scale.pick((1, 5, 400), (3, 8, 2_000), (10, 10, 5_000));
    let disk = stage.servers.postgres.data_dir().parent().context("it lies on a disk")?.to_owned();
    let feeding = stage.load.feed(tasks, SHORT);
    for time in 0..times {
        feeding.allow(tasks * (time + 1) / times);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let ballast = disk.join("ballast");
        let filled = fill(&ballast)?;
        stage.count("disks filled");
        stage.lateness.suspend();
        tell(&format!("  the disk is full: {} MB of ballast", filled / 1_000_000));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        fs::remove_file(&ballast)?;
        if stage.servers.postgres.has_ended() {
            tell("  PostgreSQL gave up meanwhile, and is started again");
            stage.count("postgres gave up");
            stage.servers.postgres.start_again().await?;
        }
        stage.lateness.go_on();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    feeding.done().await
}

/// Writes until nothing more fits.
fn fill(ballast: &Path) -> Result<usize> {
    let mut file = File::create(ballast)?;
    let mut written = 0;
    for size in [1 << 20, 1 << 12] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {
            written += size;
            ensure!(written <= MEGABYTES << 20, "{} is no small disk", ballast.display());
        }
    }
    Ok(written)
}
