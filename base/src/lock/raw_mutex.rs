//! The word of a mutex that its holder may keep across a sleep.
//!
//! * [`RawMutex::try_take`], and, by whoever is in the queue of the lock, or was,
//!   [`RawMutex::take_after_wait`]; [`RawMutex::give_back`] tells whether to wake one of the queue.
//! * `alone` says that the caller has the only CPU of the kernel: plain loads and stores do then.
//!
//! INVARIANT: whoever sleeps for the lock has found it held after it came into the queue, and left
//! the mark `CONTENDED` in the same step: the next `give_back` returns true.
//!
//! Locking: this is one. Model-checked in `loom_tests.rs`.
//! Sources: Drepper, "Futexes Are Tricky", section 6 (mutex2).

use hypercall::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may sleep for it.
const CONTENDED: u32 = 2;

pub(crate) struct RawMutex(AtomicU32);

impl RawMutex {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_take(&self, alone: bool) -> bool {
        if !alone {
            return self
                .0
                .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        }
        if self.0.load(Ordering::Relaxed) != FREE {
            return false;
        }
        self.0.store(HELD, Ordering::Relaxed);
        true
    }

    /// Takes the lock if it is free, and leaves the mark in any case: if it is held, for the
    /// caller; if not, for those that may still wait.
    ///
    /// One exchange. Two compare-and-swaps (take, or else mark) would miss a holder that gives
    /// the lock back in between and takes it again.
    #[inline]
    pub(crate) fn take_after_wait(&self, alone: bool) -> bool {
        self.exchange(alone, CONTENDED, Ordering::Acquire) == FREE
    }

    /// Gives the lock back; whether one that waits must be woken.
    #[inline]
    pub(crate) fn give_back(&self, alone: bool) -> bool {
        self.exchange(alone, FREE, Ordering::Release) == CONTENDED
    }

    #[inline]
    fn exchange(&self, alone: bool, to: u32, order: Ordering) -> u32 {
        if !alone {
            return self.0.swap(to, order);
        }
        let was = self.0.load(Ordering::Relaxed);
        self.0.store(to, Ordering::Relaxed);
        was
    }
}
