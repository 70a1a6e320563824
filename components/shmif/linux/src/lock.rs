//! Locks on bytes of a file that the system releases when their owner dies.
//!
//! They belong to the open file description, so two members in one process exclude each other too,
//! and closing another descriptor of the file releases nothing. The bytes need not exist.
//!
//! Locking: this is locking. Sources: fcntl_locking(2), "Open file description locks".

use core::time::Duration;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;

/// Tries to lock byte `at` of the file for writing: `Ok(false)` if somebody else has it.
pub fn try_lock(file: &OwnedFd, at: u64) -> Result<bool, Errno> {
    match set(file, at, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        // Which of the two is left to the system.
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Unlocks it.
pub fn unlock(file: &OwnedFd, at: u64) {
    // Cannot fail for a lock that we have; if it could, closing the file would do the rest.
    let _ = set(file, at, libc::F_UNLCK);
}

/// Locks it, or gives up after `patience`: its owner may have been stopped.
pub fn lock_soon(file: &OwnedFd, at: u64, patience: Duration) -> Result<bool, Errno> {
    let until = Instant::now() + patience;
    // Whoever has it mostly needs a few system calls only.
    let mut nap = Duration::from_micros(50);
    loop {
        if try_lock(file, at)? {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        #[expect(clippy::disallowed_methods, reason = "no wait for a lock has a deadline")]
        std::thread::sleep(nap);
        nap = nap.saturating_mul(2).min(Duration::from_millis(1));
    }
}

#[allow(unsafe_code)]
// JUSTIFICATION: rustix has no byte-range locks of open file descriptions.
fn set(file: &OwnedFd, at: u64, kind: i32) -> Result<(), Errno> {
    // SAFETY: all fields of this C structure are numbers, for which zero is a value.
    let mut range: libc::flock = unsafe { core::mem::zeroed() };
    range.l_type = kind as libc::c_short;
    range.l_whence = libc::SEEK_SET as libc::c_short;
    range.l_start = at.cast_signed();
    range.l_len = 1;
    loop {
        // SAFETY: the descriptor is open while it is borrowed; the structure outlives the call.
        let r = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
        if r == 0 {
            return Ok(());
        }
        let error = std::io::Error::last_os_error();
        match Errno::from_io_error(&error).unwrap_or(Errno::IO) {
            Errno::INTR => {}
            e => return Err(e),
        }
    }
}
