//! What the kernel knows about this process, under the names that Prometheus client libraries share.
//! Read at each scrape from /proc, so only Linux has them; elsewhere they are absent.

use std::fmt::Write;

/// Clock ticks a second in /proc, `USER_HZ`: 100 on every architecture that Linux has kept (`proc_pid_stat(5)`).
const TICKS_PER_SECOND: f64 = 100.0;

struct Process {
    cpu_seconds: f64,
    start_time_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    open_fds: f64,
    max_fds: f64,
}

/// Appends the metrics of this process to `text`, or nothing where they cannot be read.
pub(crate) fn write_metrics(text: &mut String) {
    let Some(process) = read() else { return };
    let all = [
        (
            "process_cpu_seconds_total",
            "counter",
            "CPU time used, user and system.",
            process.cpu_seconds,
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "Start, in seconds since 1970.",
            process.start_time_seconds,
        ),
        ("process_resident_memory_bytes", "gauge", "Memory in RAM.", process.resident_bytes),
        ("process_virtual_memory_bytes", "gauge", "Address space.", process.virtual_bytes),
        ("process_threads", "gauge", "Threads of the operating system.", process.threads),
        ("process_open_fds", "gauge", "Open file descriptors.", process.open_fds),
        ("process_max_fds", "gauge", "File descriptors that may be open.", process.max_fds),
    ];
    for (name, kind, help, value) in all {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n");
    }
}

fn read() -> Option<Process> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let kernel = std::fs::read_to_string("/proc/stat").ok()?;
    // The second field, the name, may hold spaces and parentheses: count from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    let boot: f64 = number_after(&kernel, "btime")?;
    Some(Process {
        cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
        start_time_seconds: boot + ticks(22)? / TICKS_PER_SECOND,
        resident_bytes: number_after(&status, "VmRSS:")? * 1024.0,
        virtual_bytes: number_after(&status, "VmSize:")? * 1024.0,
        threads: number_after(&status, "Threads:")?,
        // The directory itself is one descriptor while it is read.
        open_fds: f64::from(u32::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()?)
            - 1.0,
        max_fds: number_after(&limits, "Max open files").unwrap_or(f64::INFINITY),
    })
}

/// The number that follows `name` at the start of a line.
fn number_after(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_descriptors_and_a_start_in_the_past() {
        let process = read().unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!(
            (now - 86_400.0..=now + 1.0).contains(&process.start_time_seconds),
            "{}",
            process.start_time_seconds
        );
        assert!(
            process.resident_bytes > 100_000.0 && process.resident_bytes < process.virtual_bytes
        );
        assert!(process.open_fds >= 3.0 && process.open_fds <= process.max_fds);
        assert!(process.threads >= 1.0 && process.cpu_seconds >= 0.0);
    }

    #[test]
    fn they_are_written_as_prometheus_reads_them() {
        let mut text = String::new();
        write_metrics(&mut text);
        assert_eq!(text.matches("# TYPE process_").count(), 7, "{text}");
        assert!(
            text.contains("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total "),
            "{text}"
        );
    }
}
