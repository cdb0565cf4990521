//! Processes with all that they started.

use std::{collections::HashMap, fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};

/// A process and all that it, or a process that it started, has started and that still runs. Empty if it has ended itself.
pub fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in all() {
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    if !Path::new(&format!("/proc/{root}")).exists() {
        return Vec::new();
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children.get(&pid).into_iter().flatten().copied());
        next += 1;
    }
    found
}

/// Sends a signal to each; those that have ended meanwhile are passed over.
pub fn signal_all(pids: &[u32], signal: Signal) {
    for pid in pids {
        if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, signal);
        }
    }
}

/// Every process that works in a folder or was started with it in its arguments.
pub(crate) fn of_folder(folder: &Path) -> Vec<u32> {
    let name = folder.as_os_str().as_encoded_bytes();
    let concerns = |pid: &u32| {
        let works_there =
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        works_there || arguments.windows(name.len()).any(|it| it == name)
    };
    all().filter(|pid| *pid != std::process::id()).filter(concerns).collect()
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fourth field of `stat`: after the name in parentheses, which may itself hold parentheses.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
