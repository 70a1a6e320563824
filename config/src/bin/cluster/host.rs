//! What this process costs its host, and what the host has.
//!
//! Locking: none. Sources: proc_pid_task(5), proc_meminfo(5), clock_gettime(2).

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::progress::Progress;

/// Threads of this process; an error is one sentence.
pub fn threads() -> Result<usize, String> {
    let tasks = std::fs::read_dir("/proc/self/task");
    tasks.map(Iterator::count).map_err(|error| format!("/proc/self/task: {error}"))
}

/// Memory that may be had without swapping, in bytes, where the host tells.
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// How long after the last packet kernels and host are idle: what was armed for a question that was
/// answered meanwhile (address resolution asks again after a second) runs out first, and the host's
/// watch goes to sleep a second after that.
pub const SETTLE: Duration = Duration::from_secs(3);

/// Does nothing for `time`, and says which part of one processor the process used meanwhile.
pub fn cpu_fraction(time: Duration) -> f64 {
    rest(SETTLE);
    let (start, before) = (Instant::now(), cpu());
    rest(time);
    (cpu() - before) / start.elapsed().as_secs_f64()
}

fn rest(time: Duration) {
    let start = Instant::now();
    let progress = Progress::new("idle", time.as_secs() as usize);
    loop {
        let gone = start.elapsed();
        let Some(left) = time.checked_sub(gone).filter(|left| !left.is_zero()) else { return };
        progress.look(gone.as_secs());
        thread::park_timeout(left.min(Duration::from_secs(1)));
    }
}

/// Processor time of all threads of this process, in seconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_tells() {
        assert!(threads().unwrap() >= 1);
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn time_that_is_spent_is_seen() {
        let before = cpu();
        while cpu() <= before {
            core::hint::spin_loop();
        }
        let start = Instant::now();
        rest(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}
