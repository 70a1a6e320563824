//! Forking: this program copies itself, once for each node.
//!
//! * [`fork`] runs a function in a new process.  * [`warm_up`] before the first.
//!
//! A copy of a program with several threads has the locks of all of them and only one thread, so
//! this refuses to copy one. The child ends with its parent, whatever happens to that.
//!
//! Locking: none. Sources: fork(2), PR_SET_PDEATHSIG(2const), mallopt(3), proc_pid_task(5).

use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

/// How a process ends whose function panicked, as std's own do.
const PANICKED: i32 = 101;

/// How long a thread that was joined may take to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs `child` in a copy of this process, which ends with the status that it gives. It never
/// returns into what called this. An error is half a sentence.
#[allow(unsafe_code)] // JUSTIFICATION: fork(2)
pub fn fork(child: impl FnOnce() -> i32) -> Result<Pid, String> {
    if threads()? != 1 {
        return Err("a program with several threads cannot be copied".to_string());
    }
    let parent = getpid();
    // SAFETY: this is the only thread, as was just counted (and nobody else can start one), so
    // every lock and all memory are in the state in which this thread left them.
    match unsafe { libc::fork() } {
        0 => {
            let status = match set_parent_process_death_signal(Some(Signal::KILL)) {
                // It may have ended before that.
                Ok(()) if getppid() == Some(parent) => {
                    keep_small();
                    catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED)
                }
                _ => 1,
            };
            // What was registered to be done at exit is the parent's.
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(status) }
        }
        child => {
            Pid::from_raw(child.max(0)).ok_or_else(|| failed(&std::io::Error::last_os_error()))
        }
    }
}

/// One pool of memory for all threads: the few that a node has seldom meet, and each pool that
/// glibc makes for another costs some system calls and pages.
#[allow(unsafe_code)] // JUSTIFICATION: an option of the allocator
fn keep_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: changes a number of the allocator's; there is one thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}

fn failed(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            "the system has no room for more processes (ulimit -u, or pids.max of its control group)"
                .to_string()
        }
        _ => format!("no process for it: {error}"),
    }
}

/// Does once what every child would do for itself otherwise: std and the dynamic linker look for
/// functions when the first thread is made. That thread is gone again afterwards.
pub fn warm_up() {
    // Without a thread to spare nothing is lost.
    if let Ok(thread) = std::thread::Builder::new().spawn(|| ()) {
        let _ = thread.join();
        // Joined, but perhaps not yet gone. If it never goes, the first fork says so.
        let until = Instant::now() + PATIENCE;
        while threads().is_ok_and(|threads| threads > 1) && Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

/// Threads of this process. One system call, which matters here: a folder has a link from each
/// folder in it.
fn threads() -> Result<u64, String> {
    let tasks = std::fs::metadata("/proc/self/task");
    tasks.map(|tasks| tasks.nlink().saturating_sub(2)).map_err(|e| format!("/proc/self/task: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted_and_several_refused() {
        // The test's own, and the one that runs all of them.
        assert!(threads().unwrap() >= 2);
        assert!(fork(|| 0).unwrap_err().contains("several threads"));
    }
}
