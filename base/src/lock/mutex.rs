//! The mutex of threads: it may be held across a sleep, and who must wait for it sleeps.
//!
//! * [`Mutex::with`] runs a closure with the lock held; the closure gets the context back, so it
//!   may sleep. There is no guard: giving the lock back takes a context.
//!
//! A panic in the closure kills the kernel, so there is nothing to poison.
//!
//! Locking: see `Rank`. Sources: NetBSD mutex(9); the book, section 3.5 (try, then block).

use core::cell::UnsafeCell;

use hypercall::atomic::{AtomicU32, Ordering};

use super::rank::Rank;
use crate::wait::{Events, WaitQueue, wait_for_lock};
use crate::{Cx, Gone, Lwp};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may sleep for it.
const CONTENDED: u32 = 2;

/// A mutex that may be held across a sleep.
pub struct Mutex<T: ?Sized> {
    kernel: usize,
    state: AtomicU32,
    rank: Rank,
    queue: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only by the thread that holds the lock.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above; `state` is changed under the CPU where there is one, atomically otherwise.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>, rank: Rank, value: T) -> Self {
        Self {
            kernel: cx.kernel_id(),
            state: AtomicU32::new(FREE),
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
        let taken = if self.try_take(l) { Ok(()) } else { self.take_slow(l) };
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

    fn try_take(&self, cx: &Cx<'_>) -> bool {
        self.change(cx, FREE, HELD)
    }

    #[cold]
    fn take_slow(&self, l: &mut Lwp<'_>) -> Result<(), Gone> {
        wait_for_lock(l, &self.queue, |l| {
            // Whoever has waited leaves the mark for those that may still wait. The holder may
            // give the lock back between the first two lines; then the mark was not set.
            self.change(l, FREE, CONTENDED) || {
                self.change(l, HELD, CONTENDED);
                self.change(l, FREE, CONTENDED)
            }
        })
    }

    fn give_back(&self, cx: &Cx<'_>) {
        let was = if cx.is_alone() {
            let was = self.state.load(Ordering::Relaxed);
            self.state.store(FREE, Ordering::Relaxed);
            was
        } else {
            self.state.swap(FREE, Ordering::Release)
        };
        if was == CONTENDED {
            self.queue.wake_one(cx, Events::IN);
        }
    }

    fn change(&self, cx: &Cx<'_>, from: u32, to: u32) -> bool {
        if !cx.is_alone() {
            return self
                .state
                .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        }
        if self.state.load(Ordering::Relaxed) != from {
            return false;
        }
        self.state.store(to, Ordering::Relaxed);
        true
    }
}

impl<T: Send> super::Lock<T> for Mutex<T> {
    fn locked<R>(&self, l: &mut Lwp<'_>, f: impl FnOnce(&mut T) -> R) -> Result<R, Gone> {
        self.with(l, |_, t| f(t))
    }
}
