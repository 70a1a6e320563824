//! The Linux host: threads, futexes, a vDSO clock, and workers that carry interrupts.
//!
//! A host is an ordinary value. Making one costs an allocation and no system call; threads, the
//! entropy pool and everything else come at their first use.
//! * [`Linux::new`] makes a host with the defaults, [`Linux::builder`] one to order.
//! * [`spawn_outside`] starts a thread for a driver's half on this host.
//! * Dropping the last reference ends the host's threads. It does not wait for them, so it may be
//!   done anywhere, also on one of them.
//!
//! How interrupts travel: a thread that raises a guest with `raise_local` puts it on its own
//! queue (`lane`) and visits it itself when it leaves its kernel or before it sleeps. What a
//! thread cannot carry goes to the queue of the pool (`pool`), for the workers (`worker`). A
//! watcher (`watcher`), asleep unless something is under way, robs a lane whose owner is stuck.
//!
//! Locking: `pool` and `lanes` (never held together, never across an up-call or the drop of a
//! guest), `names`, `entropy`. Nothing is held when a guest is visited or a thread blocks.
//! Sources: futex(2), vdso(7), getrandom(2); the book, section 3.2.3 (hypercalls).
#![deny(unsafe_code)]

mod builder;
mod clock;
mod entropy;
mod environment;
mod interrupts;
mod lane;
mod names;
mod outside;
mod parking;
mod pool;
mod shared;
mod spin;
mod threads;
mod timers;
mod watcher;
mod worker;

use core::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub use builder::Builder;
pub use outside::spawn_outside;

/// A Linux process as a host for kernels.
pub struct Linux {
    shared: Arc<shared::Shared>,
    blocked: parking::Blocked,
    names: names::NameSpace,
    entropy: Mutex<entropy::Pool>,
    hostname: OnceLock<String>,
    params: Vec<(String, String)>,
    io: Vec<(String, Arc<dyn Any + Send + Sync>)>,
}

impl Linux {
    /// A host with the defaults: as many workers as the process may use CPUs, made when needed.
    #[allow(clippy::new_ret_no_self)] // a host is always shared
    pub fn new() -> Arc<Linux> {
        Self::builder().build()
    }

    /// A host to order.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

// JUSTIFICATION: the contract makes the trait unsafe to implement; there is no other use.
#[allow(unsafe_code)]
// SAFETY: the default methods of `Memory` are used, which fulfil its contract.
unsafe impl hypercall::Memory for Linux {}

impl hypercall::Host for Linux {
    fn io(&self, name: &str) -> Option<Arc<dyn Any + Send + Sync>> {
        // The last one given, as with parameters.
        self.io.iter().rev().find(|(n, _)| n == name).map(|(_, half)| half.clone())
    }
}

impl Drop for Linux {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// Takes a lock of this crate. None of them is ever held across foreign code, so a poisoned one
/// (a failed assertion of ours) still guards consistent data.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
