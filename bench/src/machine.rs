//! This machine.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

/// What it is, and when it was looked at.
pub(crate) fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = info.lines().find_map(|it| it.strip_prefix("model name")?.split_once(':'));
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    json!({
        "cores": cores,
        "cpu": cpu.map(|(_, it)| it.trim()),
        "kernel": kernel.trim(),
        "unix_time": at,
    })
}

/// Lets this process and those that it starts have as many open files as the machine allows; gives how many.
///
/// # Errors
/// If the kernel refuses.
pub(crate) fn raise_open_files() -> anyhow::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).context("raise the limit of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
