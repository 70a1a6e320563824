//! The pool: guests that wait for a worker, timers, and who of the workers sleeps.
//!
//! Data and decisions only; [`crate::shared::Shared`] holds the lock and does what is decided.
//! * [`Pool::call`] decides who is to come when something was put in the queue.
//! * [`Pool::step`] is a worker's question what to do next.
//! * One sleeping worker is the *keeper*: it sleeps until the earliest timer's deadline, the
//!   others for ever. So a timer wakes one thread, and no thread is there for timers alone.
//! * A worker is *searching* from when it was called until it took something or found nothing.
//!   While one is, nobody else need be called.
//!
//! Locking: everything here is guarded by `pool`. Sources: the Go scheduler's rule of one
//! searching thread (golang.org/s/go11sched).

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use core::time::Duration;
use hypercall::{Guest, Instant};

use crate::clock::now;
use crate::lane::Lane;
use crate::parking::{block, unblock};

/// Up to so many guests, a worker takes all that wait; of more it leaves half to others.
const SHARE: usize = 8;
/// Not more than this at once.
const BATCH: usize = 32;
/// A timer so much behind wants another worker's help.
const BEHIND: Duration = Duration::from_micros(200);

/// Where a worker sleeps.
#[derive(Default)]
pub struct Nap(AtomicU32);

/// States of a nap: the worker is awake or lies awake; it was called; it sleeps soundly.
const DOZING: u32 = 0;
const CALLED: u32 = 1;
const ASLEEP: u32 = 2;

/// Looks at the nap before a worker falls asleep: one or two microseconds, less than it takes to
/// wake it from another CPU.
const DOZE: u32 = 40;

impl Nap {
    /// Sleeps until called or until the deadline. It dozes first, where a caller could be running
    /// at the same time: then no system call is spent on either side.
    pub fn sleep(&self, doze: bool, until: Option<Instant>) {
        for _ in 0..if doze { DOZE } else { 0 } {
            if self.0.load(Ordering::Acquire) == CALLED {
                return;
            }
            core::hint::spin_loop();
        }
        let sleeps = self.0.compare_exchange(DOZING, ASLEEP, Ordering::SeqCst, Ordering::Relaxed);
        if sleeps.is_ok() {
            block(&self.0, ASLEEP, until);
        }
    }

    /// Calls the worker; whether it must be woken.
    fn call(&self) -> bool {
        self.0.swap(CALLED, Ordering::SeqCst) == ASLEEP
    }

    /// Awake again: whether it was called.
    fn rise(&self) -> bool {
        self.0.swap(DOZING, Ordering::Relaxed) == CALLED
    }

    /// Wakes the worker that sleeps here.
    pub fn wake(&self) {
        unblock(&self.0, 1);
    }
}

/// Who must come, done after the lock is released.
#[must_use]
pub enum Call {
    Nobody,
    Wake(Arc<Nap>),
    Spawn,
}

/// What a worker does next.
pub enum Step {
    /// Visit the guest whose timer is due, if one is, and those now in the worker's lane.
    Work(Option<Arc<dyn Guest>>),
    /// Sleep until called or until the deadline.
    Sleep(Option<Instant>),
    /// The host is gone, or the worker is one too many.
    End,
}

#[derive(Default)]
pub struct Pool {
    pub queue: VecDeque<Arc<dyn Guest>>,
    /// By deadline and the guest's address.
    pub timers: BTreeMap<(Instant, usize), Arc<dyn Guest>>,
    idle: Vec<Arc<Nap>>,
    keeper: Option<(Arc<Nap>, Option<Instant>)>,
    threads: usize,
    searching: usize,
    /// Guests taken so far: the pool's progress.
    pub taken: u64,
    pub stopped: bool,
}

impl Pool {
    /// The earliest deadline.
    pub fn earliest(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether [`Pool::call`] would get somebody.
    pub fn can_call(&self, limit: usize) -> bool {
        self.searching == 0
            && (!self.idle.is_empty() || self.keeper.is_some() || self.threads < limit)
    }

    /// Something waits for a worker: who comes, with at most `limit` workers.
    pub fn call(&mut self, limit: usize) -> Call {
        if self.searching != 0 || self.stopped {
            return Call::Nobody;
        }
        // The keeper last, so that somebody goes on watching the timers.
        if let Some(nap) = self.idle.pop() {
            return self.wake(nap);
        }
        if let Some((nap, _)) = self.keeper.take() {
            return self.wake(nap);
        }
        if self.threads < limit {
            self.threads = self.threads.saturating_add(1);
            self.searching = self.searching.saturating_add(1);
            return Call::Spawn;
        }
        Call::Nobody
    }

    fn wake(&mut self, nap: Arc<Nap>) -> Call {
        self.searching = self.searching.saturating_add(1);
        if nap.call() { Call::Wake(nap) } else { Call::Nobody }
    }

    /// There is a new deadline: who comes to look at it.
    pub fn call_keeper(&mut self, at: Instant) -> Call {
        match self.keeper.take() {
            Some((nap, Some(until))) if until <= at => {
                self.keeper = Some((nap, Some(until)));
                Call::Nobody
            }
            // A busy worker looks at the timers between visits; the watcher sees to one that
            // does not.
            None if self.threads != 0 && self.idle.is_empty() => Call::Nobody,
            None => self.call(1),
            Some((nap, _)) => self.wake(nap),
        }
    }

    /// A thread could not be made.
    pub fn spawn_failed(&mut self) {
        self.threads = self.threads.saturating_sub(1);
        self.searching = self.searching.saturating_sub(1);
    }

    /// A worker with this `nap` and `lane`, `searching` if it was called and took nothing since,
    /// asks what to do. Also says who else must come.
    pub fn step(
        &mut self,
        nap: &Arc<Nap>,
        lane: &Lane,
        searching: &mut bool,
        limit: usize,
    ) -> (Step, Call) {
        if nap.rise() {
            *searching = true;
        } else {
            // It woke by itself.
            self.idle.retain(|other| !Arc::ptr_eq(other, nap));
            self.keeper.take_if(|(other, _)| Arc::ptr_eq(other, nap));
        }
        if core::mem::take(searching) {
            self.searching = self.searching.saturating_sub(1);
        }
        if self.stopped {
            return (Step::End, Call::Nobody);
        }
        let (timer, behind) = self.due();
        self.share(lane);
        if timer.is_some() || !lane.is_empty() {
            let more = behind || !self.queue.is_empty();
            return (Step::Work(timer), if more { self.call(limit) } else { Call::Nobody });
        }
        if self.threads > limit {
            self.threads = self.threads.saturating_sub(1);
            return (Step::End, Call::Nobody);
        }
        let until = self.earliest();
        if self.keeper.is_none() {
            self.keeper = Some((nap.clone(), until));
            (Step::Sleep(until), Call::Nobody)
        } else {
            self.idle.push(nap.clone());
            (Step::Sleep(None), Call::Nobody)
        }
    }

    /// Takes a timer that is due; whether the next one is far behind.
    fn due(&mut self) -> (Option<Arc<dyn Guest>>, bool) {
        let Some(first) = self.timers.first_entry() else { return (None, false) };
        let now = now();
        if first.key().0 > now {
            return (None, false);
        }
        let guest = first.remove();
        self.taken = self.taken.wrapping_add(1);
        (Some(guest), self.earliest().is_some_and(|next| next + BEHIND <= now))
    }

    /// Moves a worker's part of the queue to its lane.
    fn share(&mut self, lane: &Lane) {
        let waiting = self.queue.len();
        let some = if waiting <= SHARE { waiting } else { waiting.div_ceil(2).min(BATCH) };
        self.take(lane, some);
    }

    /// Moves up to `count` guests from the queue to a lane.
    pub fn take(&mut self, lane: &Lane, count: usize) {
        for guest in self.queue.drain(..count.min(self.queue.len())) {
            self.taken = self.taken.wrapping_add(1);
            lane.push(guest);
        }
    }

    /// Ends it: everything that was kept, to be dropped, and everybody who sleeps, to be woken.
    pub fn stop(&mut self) -> (Vec<Arc<dyn Guest>>, Vec<Arc<Nap>>) {
        self.stopped = true;
        let mut guests: Vec<_> = core::mem::take(&mut self.queue).into();
        guests.extend(core::mem::take(&mut self.timers).into_values());
        let mut naps = core::mem::take(&mut self.idle);
        naps.extend(self.keeper.take().map(|(nap, _)| nap));
        for nap in &naps {
            // They leave by `stopped`; nobody counts searchers any more.
            nap.call();
        }
        (guests, naps)
    }
}
