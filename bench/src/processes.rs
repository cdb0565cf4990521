//! What processes have used: CPU time and memory, from `/proc`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    time::Duration,
};

use serde_json::{Map, Value};

use crate::figures::rounded;

/// Programs by name, each by the processes at its root; what descends from them counts too.
pub(crate) type Roots = BTreeMap<String, Vec<u32>>;

/// CPU time so far.
#[derive(Clone, Debug)]
pub(crate) struct CpuTime {
    by_program: BTreeMap<String, Duration>,
    client: Duration,
    /// The whole machine.
    machine: Duration,
}

/// One line of `/proc/<pid>/stat`.
struct Stat {
    parent: u32,
    /// Ticks in user and kernel mode, and those of children that have ended and were waited for.
    ticks: u64,
}

impl CpuTime {
    /// Of the programs, of this process, and of everything on the machine.
    pub(crate) fn now(roots: &Roots) -> Self {
        let stats = all();
        let of = |pids: &[u32]| {
            let tree = descendants(&stats, pids);
            duration(tree.iter().filter_map(|pid| stats.get(pid)).map(|it| it.ticks).sum())
        };
        let by_program = roots.iter().map(|(name, pids)| (name.clone(), of(pids))).collect();
        let own = stats.get(&std::process::id()).map_or(0, |it| it.ticks);
        Self { by_program, client: duration(own), machine: machine() }
    }

    /// What was used since an earlier moment.
    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let by_program = self.by_program.iter().map(|(name, now)| {
            let before = earlier.by_program.get(name).copied().unwrap_or_default();
            (name.clone(), now.saturating_sub(before))
        });
        Used {
            by_program: by_program.collect(),
            client: self.client.saturating_sub(earlier.client),
            machine: self.machine.saturating_sub(earlier.machine),
        }
    }
}

/// CPU time of a measure.
#[derive(Debug)]
pub(crate) struct Used {
    by_program: BTreeMap<String, Duration>,
    client: Duration,
    machine: Duration,
}

impl Used {
    /// All programs together; the client is not among them.
    pub(crate) fn total(&self) -> Duration {
        self.by_program.values().sum()
    }

    /// Milliseconds for each of `count`, by program and in all; the client's beside them.
    pub(crate) fn ms_per(&self, count: usize) -> Value {
        let mut members = Map::new();
        members.insert("total".to_owned(), per(self.total(), count));
        for (name, used) in &self.by_program {
            members.insert(name.clone(), per(*used, count));
        }
        members.insert("client_not_in_total".to_owned(), per(self.client, count));
        Value::Object(members)
    }

    /// Cores that everything else on the machine has kept busy in this time: noise.
    pub(crate) fn cores_of_others(&self, elapsed: Duration) -> Value {
        let others = self.machine.saturating_sub(self.total() + self.client);
        rounded(others.as_secs_f64() / elapsed.as_secs_f64(), 2)
    }

    /// Milliseconds of CPU in each second, by program.
    pub(crate) fn ms_per_second(&self, elapsed: Duration) -> Value {
        let of = |used: &Duration| rounded(used.as_secs_f64() * 1000.0 / elapsed.as_secs_f64(), 2);
        Value::Object(self.by_program.iter().map(|(name, used)| (name.clone(), of(used))).collect())
    }
}

fn per(used: Duration, count: usize) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a count of tasks is far below 2^52")]
    let count = count.max(1) as f64;
    rounded(used.as_secs_f64() * 1000.0 / count, 4)
}

/// Memory in MiB, by program: what is resident. PostgreSQL's processes share most of theirs, which is divided among them, under
/// the name `postgres_pss`.
pub(crate) fn rss_mib(roots: &Roots) -> BTreeMap<String, f64> {
    let stats = all();
    let of = |(name, pids): (&String, &Vec<u32>)| {
        let tree = descendants(&stats, pids).into_iter();
        match name.as_str() {
            "postgres" => ("postgres_pss".to_owned(), tree.map(pss).sum()),
            _ => (name.clone(), tree.map(rss).sum()),
        }
    };
    roots.iter().map(of).collect()
}

fn pss(pid: u32) -> f64 {
    number_in(&format!("/proc/{pid}/smaps_rollup"), "Pss:") / 1024.0
}

/// Resident memory of one process in MiB; 0 if it is gone.
pub(crate) fn rss(pid: u32) -> f64 {
    number_in(&format!("/proc/{pid}/status"), "VmRSS:") / 1024.0
}

/// The largest resident memory that a process has had, in MiB.
pub(crate) fn peak_rss(pid: u32) -> f64 {
    number_in(&format!("/proc/{pid}/status"), "VmHWM:") / 1024.0
}

/// Memory in MiB that processes have for themselves, without files and what PostgreSQL's share: its buffers fill by and by, up
/// to a size that is set.
pub(crate) fn private_mib(pids: &[u32]) -> f64 {
    let of = |pid| number_in(&format!("/proc/{pid}/status"), "RssAnon:") / 1024.0;
    pids.iter().map(of).sum()
}

/// Threads of a process; 0 if it is gone.
pub(crate) fn threads(pid: u32) -> f64 {
    number_in(&format!("/proc/{pid}/status"), "Threads:")
}

/// Open descriptors of a process.
///
/// # Errors
/// If it is gone.
pub(crate) fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// The number behind a name; 0 where the file or the name is not there. Where it has a unit, that is kB.
fn number_in(path: &str, name: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|it| it.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0.0)
}

fn all() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse(&text)?))
    })
    .collect()
}

/// See proc(5): the name in brackets may hold anything, the fields after it are numbers, the first of them the third.
fn parse(stat: &str) -> Option<Stat> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks = fields.get(11..15)?.iter().filter_map(|it| it.parse::<u64>().ok()).sum();
    Some(Stat { parent, ticks })
}

fn descendants(stats: &BTreeMap<u32, Stat>, roots: &[u32]) -> BTreeSet<u32> {
    let mut found: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let known = found.len();
        for (pid, stat) in stats {
            if found.contains(&stat.parent) {
                found.insert(*pid);
            }
        }
        if found.len() == known {
            return found;
        }
    }
}

/// Busy time of all cores: everything but idle and waiting for disks.
fn machine() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).take(8).enumerate();
    let busy = ticks.filter(|(index, _)| !matches!(index, 3 | 4));
    duration(busy.filter_map(|(_, it)| it.parse::<u64>().ok()).sum())
}

fn duration(ticks: u64) -> Duration {
    Duration::from_secs(ticks)
        / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = parse("12 (a) b) S 7 1 1 0 -1 0 0 0 0 0 3 4 10 20 20 0").unwrap();
        assert_eq!((stat.parent, stat.ticks), (7, 37));
    }

    #[test]
    fn the_grandchildren_of_a_root_belong_to_it() {
        let stat = |parent| Stat { parent, ticks: 0 };
        let stats =
            BTreeMap::from([(1, stat(0)), (2, stat(1)), (3, stat(5)), (5, stat(2)), (9, stat(0))]);
        assert_eq!(descendants(&stats, &[1]), BTreeSet::from([1, 2, 3, 5]));
    }

    #[test]
    fn this_process_uses_time_and_memory() {
        let roots = Roots::from([("this".to_owned(), vec![std::process::id()])]);
        let before = CpuTime::now(&roots);
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_millis(100) {}
        let used = CpuTime::now(&roots).since(&before);
        assert!(used.total() >= Duration::from_millis(30), "{used:?}");
        assert!(rss_mib(&roots)["this"] > 0.5);
        assert!(peak_rss(std::process::id()) >= 0.5);
    }

    #[test]
    fn this_process_has_descriptors_threads_and_memory_of_its_own() {
        let pid = std::process::id();
        let before = descriptors(pid).unwrap();
        let more: Vec<_> = (0..32).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        // Other tests run beside this one, and open and close files too.
        assert!(descriptors(pid).unwrap() >= before + more.len() / 2);
        assert!(threads(pid) >= 1.0);
        assert!(private_mib(&[pid]) > 0.1);
        // No process has it: ids end at four million.
        assert!(descriptors(u32::MAX).is_err());
    }
}
