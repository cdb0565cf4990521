//! The PostgreSQL that is installed here.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, getuid};
use tokio::{io::AsyncWriteExt, process::Child};

use crate::{descendants, signal_all};

/// Where its programs are, and as whom they run.
pub(super) struct Installation {
    bin: PathBuf,
    /// User and group of `postgres`, when we are root: it refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Installation {
    pub(super) fn find() -> Result<Self> {
        let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .filter(|bin| bin.join("initdb").exists())
            .collect();
        versions.sort_unstable();
        let on_path = || {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).find(|it| it.join("initdb").exists())
        };
        let bin = versions.pop().or_else(on_path).context("PostgreSQL is not installed")?;
        let user = if getuid().is_root() { Some(postgres_user()?) } else { None };
        Ok(Self { bin, user })
    }

    pub(super) fn bin(&self) -> &Path {
        &self.bin
    }

    pub(super) fn user(&self) -> Option<(u32, u32)> {
        self.user
    }

    /// Makes a cluster with the database `test`.
    pub(super) async fn make_cluster(&self, dir: &Path, data: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(dir, Some(uid), Some(gid))?;
        }
        let mut initdb = self.command("initdb");
        // What is written here need not outlive a power cut; what the server writes later is synced.
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]);
        initdb.arg("--no-sync").arg("-D").arg(data);
        let output = initdb.stdin(Stdio::null()).output().await.context("initdb cannot start")?;
        ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let mut single = self.command("postgres");
        single.args(["--single", "-D"]).arg(data).arg("postgres");
        single.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut single = single.spawn().context("postgres cannot start")?;
        let mut input = single.stdin.take().context("its input is a pipe")?;
        input.write_all(b"CREATE DATABASE test;\n").await?;
        drop(input);
        let output = single.wait_with_output().await?;
        ensure!(output.status.success(), "postgres: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Whether it takes connections.
    pub(super) async fn answers(&self, address: SocketAddr) -> bool {
        let mut asking = self.command("pg_isready");
        asking.args(["-q", "-d", "test", "-U", "postgres", "-t", "5"]);
        asking.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
        asking.stdin(Stdio::null()).status().await.is_ok_and(|it| it.success())
    }

    /// Ends a server without waiting for what it has to write, and waits for that, for some seconds at most.
    pub(super) fn end_now(&self, pid: u32, server: &mut Child) {
        let all = descendants(pid);
        signal_all(&all, Signal::CONT);
        signal_all(&[pid], Signal::QUIT);
        let began = Instant::now();
        while matches!(server.try_wait(), Ok(None)) {
            if began.elapsed() > Duration::from_secs(5) {
                signal_all(&all, Signal::KILL);
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The user `postgres`, whom the package makes.
fn postgres_user() -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.context("there is no user postgres")?.split(':').skip(2);
    let mut next = || fields.next().and_then(|it| it.parse().ok());
    next().zip(next()).context("/etc/passwd has numbers")
}
