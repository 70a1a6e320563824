//! The half of shmif on Linux: bus files in memory, places in them, and who waits on them.
//!
//! ```
//! use linux::Linux;
//! let host = Linux::builder().io("shmif", shmif_linux::files()).build();
//! ```
//! Kernels on that host then take a `linkstr` with a `/` in it as the path of a bus file.
//!
//! * `open`: opens or makes the file, and takes a place in it.  * `lock`: locks that the system
//!   releases at death.  * `mapping`: the file as words.  * `fault`: a file that is cut.
//! * `waiter`: the thread that waits on doorbells.  * `seat`: what the driver sees of it.
//! * [`dump`]: the frames in a file, for `shmif_dumpbus`.
//!
//! A new file has the mode 0600, less the umask: who can write a bus can read and forge all that
//! is on it. Others are let in by chmod.
//!
//! No thread is made before the first member listens, and none is left when the last has gone.
//!
//! Locking: `threads`, then `list` (see `waiter`); neither is held while a bell rings.
//! Sources: futex(2), futex_waitv(2), fcntl_locking(2), fallocate(2).
#![deny(unsafe_code)]

pub mod dump;
mod fault;
mod lock;
mod mapping;
mod open;
mod seat;
mod waiter;

use core::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shmif::host::{BusFiles, FileError, Files, Offcpu, Seat};

/// What a host is given under the name `shmif`: one for each host.
pub fn files() -> Arc<dyn Any + Send + Sync> {
    Arc::new(BusFiles(Arc::new(Disk { waiters: Arc::default() })))
}

/// The files of this machine.
struct Disk {
    waiters: Arc<waiter::Waiters>,
}

impl Files for Disk {
    fn join(&self, path: &str, _proof: &Offcpu) -> Result<Box<dyn Seat>, FileError> {
        let place = open::join(path)?;
        Ok(Box::new(seat::Taken::new(place, self.waiters.clone())))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.waiters.end();
    }
}

/// Takes a lock of this crate. Nothing foreign runs under one, so a poisoned one still guards
/// consistent data.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
