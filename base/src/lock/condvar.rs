//! Condition variables.
//!
//! ```
//! use base::lock::{Condvar, IntrMutex};
//! use base::wait::Unslept;
//!
//! fn next(l: &mut base::Lwp<'_>, cv: &Condvar, jobs: &IntrMutex<u32>) -> Result<u32, Unslept> {
//!     cv.wait_until(l, jobs, None, |n| n.checked_sub(1)) // sleeps while there is none
//! }
//! fn add(cx: &base::Cx<'_>, cv: &Condvar, jobs: &IntrMutex<u32>) {
//!     *jobs.lock(cx) += 1;
//!     cv.signal(cx);
//! }
//! ```
//!
//! The condition is part of the call, so that it is looked at again after every wake-up, and the
//! lock is not held while the thread sleeps.
//!
//! Locking: the caller's lock, and `Rank::WaitQueue` inside. Sources: NetBSD condvar(9).

use hypercall::Instant;

use super::IntrMutex;
use crate::wait::{Events, Unslept, WaitQueue, wait_for};
use crate::{Cx, Errno, Gone, Lwp};

/// A lock that a condition can be guarded by.
pub trait Lock<T> {
    /// Runs `f` with the lock held.
    fn locked<R>(&self, l: &mut Lwp<'_>, f: impl FnOnce(&mut T) -> R) -> Result<R, Gone>;
}

impl<T: Send> Lock<T> for IntrMutex<T> {
    fn locked<R>(&self, l: &mut Lwp<'_>, f: impl FnOnce(&mut T) -> R) -> Result<R, Gone> {
        Ok(f(&mut self.lock(l)))
    }
}

/// A condition variable.
pub struct Condvar {
    queue: WaitQueue,
}

impl Condvar {
    /// A condition variable of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>) -> Self {
        Self { queue: WaitQueue::new(cx) }
    }

    /// Sleeps until `condition`, looked at with `lock` held, gives something.
    pub fn wait_until<T, R>(
        &self,
        l: &mut Lwp<'_>,
        lock: &impl Lock<T>,
        deadline: Option<Instant>,
        mut condition: impl FnMut(&mut T) -> Option<R>,
    ) -> Result<R, Unslept> {
        wait_for(l, &self.queue, Events::IN, deadline, |l| {
            lock.locked(l, &mut condition)?.ok_or(Errno::WouldBlock)
        })
        .map_err(|e| match e {
            Errno::WouldBlock => Unslept::TimedOut,
            Errno::Interrupted => Unslept::Interrupted,
            Errno::NoMemory => Unslept::NoMemory,
            _ => Unslept::Gone,
        })
    }

    /// Wakes one that waits. The condition's change must be visible by now.
    pub fn signal(&self, cx: &Cx<'_>) {
        self.queue.wake_one(cx, Events::IN);
    }

    /// Wakes all that wait.
    pub fn broadcast(&self, cx: &Cx<'_>) {
        self.queue.wake(cx, Events::IN);
    }

    /// Whether somebody waits.
    pub fn has_waiters(&self, cx: &Cx<'_>) -> bool {
        !self.queue.is_empty(cx)
    }
}
