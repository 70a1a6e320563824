//! The reader-writer lock of threads: it may be held across a sleep.
//!
//! Writers come first: a reader that arrives while one waits, waits behind it.
//!
//! Locking: see `Rank`; its own state by an interrupt mutex of the innermost rank but one.
//! Sources: NetBSD rwlock(9).

use core::cell::UnsafeCell;

use super::IntrMutex;
use super::rank::Rank;
use crate::wait::{Events, WaitQueue, wait_for_lock};
use crate::{Cx, Gone, Lwp};

#[derive(Default)]
struct State {
    readers: u32,
    writer: bool,
    writers_waiting: u32,
}

/// A reader-writer lock that may be held across a sleep.
pub struct RwLock<T> {
    rank: Rank,
    state: IntrMutex<State>,
    queue: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only as `state` allows: by readers, or by one writer.
unsafe impl<T: Send> Send for RwLock<T> {}
// SAFETY: as above; readers share it, so it must be `Sync`.
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A lock of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>, rank: Rank, value: T) -> Self {
        Self {
            rank,
            state: IntrMutex::new(cx, Rank::Uname, State::default()),
            queue: WaitQueue::new(cx),
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `f` beside other readers. [`Gone`] if the kernel ended while this thread waited.
    #[track_caller]
    pub fn read<'k, R>(
        &self,
        l: &mut Lwp<'k>,
        f: impl FnOnce(&mut Lwp<'k>, &T) -> R,
    ) -> Result<R, Gone> {
        l.note_locked(self.rank);
        let taken = self.wait(l, |s| {
            let free = !s.writer && s.writers_waiting == 0;
            s.readers += u32::from(free);
            free
        });
        let result = taken.map(|()| {
            // SAFETY: counted as a reader until below; there is no writer meanwhile.
            let r = f(l, unsafe { &*self.value.get() });
            self.leave(l, |s| s.readers -= 1);
            r
        });
        l.note_unlocked(self.rank);
        result
    }

    /// Runs `f` alone. [`Gone`] if the kernel ended while this thread waited.
    #[track_caller]
    pub fn write<'k, R>(
        &self,
        l: &mut Lwp<'k>,
        f: impl FnOnce(&mut Lwp<'k>, &mut T) -> R,
    ) -> Result<R, Gone> {
        l.note_locked(self.rank);
        self.state.lock(l).writers_waiting += 1;
        let taken = self.wait(l, |s| {
            let free = !s.writer && s.readers == 0;
            s.writer |= free;
            free
        });
        self.state.lock(l).writers_waiting -= 1;
        let result = taken.map(|()| {
            // SAFETY: the one writer until below, and there are no readers meanwhile.
            let r = f(l, unsafe { &mut *self.value.get() });
            self.leave(l, |s| s.writer = false);
            r
        });
        l.note_unlocked(self.rank);
        result
    }

    fn wait(&self, l: &mut Lwp<'_>, mut take: impl FnMut(&mut State) -> bool) -> Result<(), Gone> {
        wait_for_lock(l, &self.queue, |l| take(&mut self.state.lock(l)))
    }

    fn leave(&self, cx: &Cx<'_>, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock(cx));
        self.queue.wake(cx, Events::IN);
    }
}
