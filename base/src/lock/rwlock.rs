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

/// Who is in, and which writers have announced themselves. Model-checked in `loom_tests.rs`.
#[derive(Default)]
pub(super) struct State {
    readers: u32,
    writer: bool,
    writers_waiting: u32,
}

impl State {
    pub(super) fn try_read(&mut self) -> bool {
        let free = !self.writer && self.writers_waiting == 0;
        self.readers += u32::from(free);
        free
    }

    pub(super) fn end_read(&mut self) {
        self.readers -= 1;
    }

    /// From here until it is in, or gives up, new readers wait for the writer.
    pub(super) fn announce_write(&mut self) {
        self.writers_waiting += 1;
    }

    pub(super) fn unannounce_write(&mut self) {
        self.writers_waiting -= 1;
    }

    pub(super) fn try_write(&mut self) -> bool {
        let free = !self.writer && self.readers == 0;
        self.writer |= free;
        free
    }

    pub(super) fn end_write(&mut self) {
        self.writer = false;
    }
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
        let taken = self.wait(l, State::try_read);
        let result = taken.map(|()| {
            // SAFETY: counted as a reader until below; there is no writer meanwhile.
            let r = f(l, unsafe { &*self.value.get() });
            self.leave(l, State::end_read);
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
        self.state.lock(l).announce_write();
        let taken = self.wait(l, State::try_write);
        self.state.lock(l).unannounce_write();
        let result = taken.map(|()| {
            // SAFETY: the one writer until below, and there are no readers meanwhile.
            let r = f(l, unsafe { &mut *self.value.get() });
            self.leave(l, State::end_write);
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
