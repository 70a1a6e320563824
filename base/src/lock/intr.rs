//! The mutex that interrupts may take.
//!
//! Its guard borrows the context, and sleeping takes the context mutably: holding one across a
//! sleep does not compile.
//!
//! ```compile_fail
//! fn f(l: &mut base::Lwp<'_>, m: &base::lock::IntrMutex<u32>) {
//!     let guard = m.lock(l);
//!     l.sleep_until(base::Instant::from_nanos(0)); // the guard still borrows `l`
//!     drop(guard);
//! }
//! ```
//!
//! With one virtual CPU it is a plain flag. Taking it twice is a bug, and panics there.
//!
//! Locking: see `Rank`. Sources: NetBSD mutex(9), MUTEX_SPIN.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::rank::{self, Rank};
use super::raw::RawSpin;
use crate::Cx;
use crate::sched::cpu::Cpu;

/// A mutex for state that interrupts touch too.
pub struct IntrMutex<T: ?Sized> {
    kernel: usize,
    raw: RawSpin,
    rank: Rank,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only by who holds the lock, on whichever thread has the CPU.
unsafe impl<T: ?Sized + Send> Send for IntrMutex<T> {}
// SAFETY: as above. With one virtual CPU the flag needs no atomic operation, because a context of
// this kernel (checked at each `lock`) is the proof of being alone.
unsafe impl<T: ?Sized + Send> Sync for IntrMutex<T> {}

impl<T> IntrMutex<T> {
    /// A mutex of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>, rank: Rank, value: T) -> Self {
        Self { kernel: cx.kernel_id(), raw: RawSpin::new(), rank, value: UnsafeCell::new(value) }
    }
}

impl<T: ?Sized> IntrMutex<T> {
    /// Takes the lock.
    ///
    /// # Panics
    /// With a context of another kernel; with one virtual CPU, also when the caller holds the lock
    /// already; in debug builds, when the order is wrong.
    #[inline]
    #[track_caller]
    pub fn lock<'a>(&'a self, cx: &'a Cx<'_>) -> IntrGuard<'a, T> {
        self.check(cx);
        rank::check(cx.cpu().held.get(), self.rank);
        if cx.is_alone() {
            assert!(self.raw.lock_alone(), "{:?}: locking against myself", self.rank);
        } else {
            self.raw.lock(cx.host());
        }
        self.guard(cx)
    }

    /// Takes the lock if it is free, whatever the order.
    #[inline]
    #[track_caller]
    pub fn try_lock<'a>(&'a self, cx: &'a Cx<'_>) -> Option<IntrGuard<'a, T>> {
        self.check(cx);
        let taken = if cx.is_alone() { self.raw.lock_alone() } else { self.raw.try_lock() };
        taken.then(|| self.guard(cx))
    }

    #[inline]
    #[track_caller]
    fn check(&self, cx: &Cx<'_>) {
        assert!(self.kernel == cx.kernel_id(), "{:?}: a lock of another kernel", self.rank);
    }

    #[inline]
    fn guard<'a>(&'a self, cx: &'a Cx<'_>) -> IntrGuard<'a, T> {
        if cfg!(debug_assertions) {
            cx.cpu().held.set(cx.cpu().held.get() | self.rank.bit());
        }
        IntrGuard { mutex: self, cpu: cx.cpu(), alone: cx.is_alone(), _cx: PhantomData }
    }
}

/// The lock is held. Having one tells you that nobody else sees the value.
pub struct IntrGuard<'a, T: ?Sized> {
    mutex: &'a IntrMutex<T>,
    cpu: &'a Cpu,
    alone: bool,
    /// Borrows the context: not `Send`, and in the way of every sleep.
    _cx: PhantomData<(&'a (), *mut ())>,
}

impl<T: ?Sized> Deref for IntrGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for IntrGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and `self` is borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for IntrGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            self.cpu.held.set(self.cpu.held.get() & !self.mutex.rank.bit());
        }
        if self.alone {
            self.mutex.raw.unlock_alone();
        } else {
            self.mutex.raw.unlock();
        }
    }
}
