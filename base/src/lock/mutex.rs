//! The mutex of threads: it may be held across a sleep, and who must wait for it sleeps.
//!
//! * [`Mutex::with`] runs a closure with the lock held; the closure gets the context back, so it
//!   may sleep. There is no guard: giving the lock back takes a context.
//!
//! A panic in the closure kills the kernel, so there is nothing to poison.
//!
//! Locking: see `Rank`. Sources: NetBSD mutex(9); the book, section 3.5 (try, then block).

use core::cell::UnsafeCell;

use super::rank::Rank;
use super::raw_mutex::RawMutex;
use crate::wait::{Events, WaitQueue, wait_for_lock};
use crate::{Cx, Gone, Lwp};

/// A mutex that may be held across a sleep.
pub struct Mutex<T: ?Sized> {
    kernel: usize,
    raw: RawMutex,
    rank: Rank,
    queue: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only by the thread that holds the lock.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above; `raw` is changed under the CPU where there is one, atomically otherwise.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>, rank: Rank, value: T) -> Self {
        Self {
            kernel: cx.kernel_id(),
            raw: RawMutex::new(),
            rank,
            queue: WaitQueue::new(cx),
            value: UnsafeCell::new(value),
        }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Runs `f` with the lock held. [`Gone`] if the kernel ended while this thread waited.
    ///
    /// # Panics
    /// With a context of another kernel; in debug builds, when the order is wrong.
    #[track_caller]
    pub fn with<'k, R>(
        &self,
        l: &mut Lwp<'k>,
        f: impl FnOnce(&mut Lwp<'k>, &mut T) -> R,
    ) -> Result<R, Gone> {
        assert!(self.kernel == l.kernel_id(), "{:?}: a lock of another kernel", self.rank);
        l.note_locked(self.rank);
        let taken = if self.raw.try_take(l.is_alone()) { Ok(()) } else { self.take_slow(l) };
        let result = taken.map(|()| {
            // SAFETY: the lock is held by this thread until `give_back`, and `f` cannot take it
            // again: it would wait for itself.
            let r = f(l, unsafe { &mut *self.value.get() });
            self.give_back(l);
            r
        });
        l.note_unlocked(self.rank);
        result
    }

    #[cold]
    fn take_slow(&self, l: &mut Lwp<'_>) -> Result<(), Gone> {
        wait_for_lock(l, &self.queue, |l| self.raw.take_after_wait(l.is_alone()))
    }

    #[inline]
    fn give_back(&self, cx: &Cx<'_>) {
        if self.raw.give_back(cx.is_alone()) {
            self.queue.wake_one(cx, Events::IN);
        }
    }
}

impl<T: Send> super::Lock<T> for Mutex<T> {
    fn locked<R>(&self, l: &mut Lwp<'_>, f: impl FnOnce(&mut T) -> R) -> Result<R, Gone> {
        self.with(l, |_, t| f(t))
    }
}
