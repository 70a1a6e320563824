//! What processes cost their host.
//!
//! * [`of`]: memory and threads.  * [`cpu`]: processor time.
//!
//! PSS counts a page that several processes share once, in parts.
//!
//! Locking: none. Sources: proc_pid_smaps(5), proc_pid_task(5), scheduler statistics of Linux
//! (Documentation/scheduler/sched-stats.rst).

use rustix::process::Pid;

/// Sums.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// In bytes.
    pub pss: u64,
    /// What nobody else has, in bytes.
    pub private: u64,
    pub threads: usize,
}

/// What these processes cost together.
pub fn of(pids: impl Iterator<Item = Pid>) -> Result<Cost, String> {
    let mut cost = Cost::default();
    for pid in pids {
        let path = format!("/proc/{}/smaps_rollup", pid.as_raw_pid());
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        cost.pss = cost.pss.saturating_add(field(&text, "Pss:"));
        for name in ["Private_Clean:", "Private_Dirty:"] {
            cost.private = cost.private.saturating_add(field(&text, name));
        }
        cost.threads = cost.threads.saturating_add(tasks(pid)?.count());
    }
    Ok(cost)
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

/// Processor time of all their threads so far, in seconds.
pub fn cpu(pids: impl Iterator<Item = Pid>) -> Result<f64, String> {
    let mut nanoseconds = 0u64;
    for pid in pids {
        for task in tasks(pid)?.flatten() {
            // A thread may have ended since.
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let ran = text.split(' ').next().and_then(|word| word.parse::<u64>().ok());
            nanoseconds = nanoseconds.saturating_add(ran.unwrap_or(0));
        }
    }
    Ok(nanoseconds as f64 / 1e9)
}

fn tasks(pid: Pid) -> Result<std::fs::ReadDir, String> {
    let path = format!("/proc/{}/task", pid.as_raw_pid());
    std::fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpid;

    #[test]
    fn a_process_costs_something() {
        let cost = of([getpid()].into_iter()).unwrap();
        assert!(cost.private > 100_000 && cost.pss >= cost.private, "{cost:?}");
        assert!(cost.threads >= 1);
        assert!(cpu([getpid()].into_iter()).unwrap() > 0.0);
    }

    #[test]
    fn fields_are_found() {
        assert_eq!(field("Rss: 9 kB\nPss:      12 kB\nPss_Dirty: 1 kB\n", "Pss:"), 12 * 1024);
        assert_eq!(field("", "Pss:"), 0);
    }
}
