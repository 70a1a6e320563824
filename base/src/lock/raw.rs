//! The lock word of an interrupt mutex between virtual CPUs.
//!
//! Free or held, no list of waiters: its holder never sleeps, so a waiter spins, and yields to
//! the host now and then in case the holder's thread was preempted.
//!
//! Locking: this is one. Model-checked in `sched/loom_tests.rs`.

use hypercall::Threads;
use hypercall::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;

/// Spins before the host is asked to run somebody else.
#[cfg(not(loom))]
const SPINS: u32 = 64;
#[cfg(loom)]
const SPINS: u32 = 1;

pub(crate) struct RawSpin(AtomicU32);

impl RawSpin {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    pub(crate) fn lock(&self, host: &(impl Threads + ?Sized)) {
        if !self.try_lock() {
            self.lock_slow(host);
        }
    }

    #[cold]
    fn lock_slow(&self, host: &(impl Threads + ?Sized)) {
        let mut spins = 0;
        while !self.try_lock() {
            spins += 1;
            if spins % SPINS == 0 {
                host.yield_now();
            } else {
                core::hint::spin_loop();
            }
        }
    }

    #[inline]
    pub(crate) fn unlock(&self) {
        self.0.store(FREE, Ordering::Release);
    }

    // With one virtual CPU: whoever has it is alone, so plain loads and stores do.

    /// Takes the lock; false if the caller (who else?) holds it already.
    #[inline]
    pub(crate) fn lock_alone(&self) -> bool {
        if self.0.load(Ordering::Relaxed) != FREE {
            return false;
        }
        self.0.store(HELD, Ordering::Relaxed);
        true
    }

    #[inline]
    pub(crate) fn unlock_alone(&self) {
        self.0.store(FREE, Ordering::Relaxed);
    }
}
