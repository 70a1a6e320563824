//! The baton: which thread runs, and what happens when it gives way.
//!
//! * [`Sim::run`] brings the first thread in and sees the last one out.
//! * [`Sim::block`] stops the holder; [`Sim::reschedule`] gives the baton to whatever the seed
//!   chooses and returns when the caller has it again. Guests are visited in between.
//!
//! Locking: takes and returns the guard of `Sim::state`; unlocked during a visit.
//! Sources: none.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use hypercall::Carried;

use crate::state::{Choice, Key, State, Verdict, Visit};
use crate::trace::Event;
use crate::{Sim, nanos, report};

/// So many visits with no thread able to run and time standing still, and guests keep each other busy for ever.
const VISITS_ALONE: u64 = 10_000_000;
/// So often may a thread spin with nobody else able to run.
const SPINS_ALONE: u32 = 1_000_000;
/// So many guests are still visited once all threads have ended.
const LAST_VISITS: u32 = 100_000;
/// So often are threads that outlive `main` told to end.
const LAST_CALLS: u32 = 3;
/// Threads that catch the report of a deadlock and wait again do not end: neither does the test.
const DEADLOCKS: u32 = 1000;

thread_local! {
    /// The simulations that this thread is part of, and its number in each.
    static JOINED: RefCell<Vec<(usize, u64)>> = const { RefCell::new(Vec::new()) };
}

/// A thread's membership in a simulation; ends when dropped.
pub struct Membership;

impl Membership {
    pub fn new(sim: &Sim, thread: u64) -> Self {
        JOINED.with_borrow_mut(|j| j.push((std::ptr::from_ref(sim) as usize, thread)));
        Membership
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        JOINED.with_borrow_mut(|j| _ = j.pop());
    }
}

impl Sim {
    /// The calling thread's number, if it is part of this simulation.
    pub(crate) fn member(&self) -> Option<u64> {
        let this = std::ptr::from_ref(self) as usize;
        JOINED.with_borrow(|j| j.iter().rev().find(|(sim, _)| *sim == this).map(|(_, t)| *t))
    }

    /// The calling thread's number.
    ///
    /// # Panics
    /// If it is not part of this simulation.
    pub(crate) fn me(&self, call: &str) -> u64 {
        self.member().unwrap_or_else(|| {
            panic!(
                "sim: `{call}` may block, and was called by a thread that is not part of the \
                 simulation; use Sim::run or Sim::spawn"
            )
        })
    }

    /// Runs `main` as the first thread, then waits for every other thread to end, and visits the
    /// guests that are still pending. A simulation may be run several times, one after the other.
    ///
    /// # Panics
    /// With the panic of `main`; or with a report of deadlocks, of panics in threads that nobody
    /// joined and in guests, and of threads that did not end.
    pub fn run<R>(&self, main: impl FnOnce() -> R) -> R {
        let me = {
            let mut state = self.lock();
            assert!(state.main.is_none(), "sim: this simulation is being run already");
            let me = state.register("main");
            state.main = Some(me);
            state.holder = Some(me);
            state.last_run = state.now;
            me
        };
        let membership = Membership::new(self, me);
        let result = catch_unwind(AssertUnwindSafe(main));
        self.finish(me);
        drop(membership);

        let (handles, failures) = {
            let mut state = self.lock();
            state.trace.note(Event::Exit { thread: me });
            state.threads.remove(&me);
            state.main = None;
            state.holder = None;
            state.deadlocks = 0;
            (self.ended_handles(&mut state), std::mem::take(&mut state.failures))
        };
        for handle in handles {
            // Their panics are among the failures already.
            let _ = handle.join();
        }
        match result {
            Ok(value) if failures.is_empty() => value,
            Ok(_) => panic!("sim (seed {}): {}", self.config.seed, failures.join("\n")),
            Err(payload) => {
                for failure in failures {
                    eprintln!("sim (seed {}): also: {failure}", self.config.seed);
                }
                resume_unwind(payload)
            }
        }
    }

    /// Waits until all other threads have ended and nothing is pending, within reason.
    fn finish(&self, me: u64) {
        let (mut visits, mut calls) = (0, 0);
        let mut state = self.lock();
        loop {
            if state.threads.len() > 1 {
                if calls == LAST_CALLS {
                    let text = report::stragglers(&state, me);
                    state.failures.push(text);
                    return;
                }
                let deadline = state.now.saturating_add(nanos(self.config.grace));
                let verdict;
                (state, verdict) = self.block(state, me, Key::AllEnded, 0, Some(deadline));
                if matches!(verdict, Verdict::TimedOut) {
                    calls += 1;
                    let text = report::stragglers(&state, me);
                    if calls == 1 {
                        state.failures.push(text.clone());
                    }
                    doom(&mut state, text);
                }
            } else if visits < LAST_VISITS && !state.pending.is_empty() {
                visits += 1;
                let pending = state.pending.len() as u64;
                let n = crate::below(&mut state.rng, pending) as usize;
                let visit = state.take_visit(n);
                state = self.visit(state, visit);
            } else {
                return;
            }
        }
    }

    /// Stops the holder until a wake on `key` or until `deadline`.
    pub(crate) fn block<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        me: u64,
        key: Key,
        expected: u32,
        deadline: Option<u64>,
    ) -> (MutexGuard<'a, State>, Verdict) {
        match deadline {
            Some(when) if when <= state.now => state.ready(me, Verdict::TimedOut),
            _ => state.park(me, key, expected, deadline),
        }
        let mut state = self.reschedule(state, me);
        let verdict = state.verdict(me);
        (state, verdict)
    }

    /// Gives the baton away and returns once `me`, which is runnable or waiting, has it again.
    pub(crate) fn reschedule<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        me: u64,
    ) -> MutexGuard<'a, State> {
        let state = self.pass(state);
        self.await_turn(state, me)
    }

    /// Returns once `me` has the baton.
    pub(crate) fn await_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        me: u64,
    ) -> MutexGuard<'a, State> {
        if state.holder != Some(me) {
            let Some(turn) = state.threads.get(&me).map(|e| e.turn.clone()) else { return state };
            while state.holder != Some(me) {
                state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state
    }

    /// Gives the baton to a thread that the seed chooses; visits guests until it chooses one.
    pub(crate) fn pass<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let to = state.now.saturating_add(nanos(self.config.step));
        self.set_clock(&mut state, to);
        loop {
            state.collect_due();
            match state.choose() {
                Choice::Thread(next) => {
                    state.hand_to(next);
                    return state;
                }
                Choice::Visit(visit) => {
                    state = self.visit(state, visit);
                    if state.visits_since > VISITS_ALONE && state.runnable.is_empty() {
                        deadlock(&mut state);
                    }
                }
                Choice::Nothing => self.idle(&mut state),
            }
        }
    }

    /// Nothing can run at the present time: jumps to a time when something can.
    fn idle(&self, state: &mut State) {
        let runnable = state.runnable.len();
        state.wake(Key::Settled, u32::MAX);
        if state.runnable.len() > runnable {
            return;
        }
        let patience_ends = state.last_run.saturating_add(nanos(self.config.patience));
        match state.next_deadline() {
            Some(when) if state.timed_threads != 0 || when <= patience_ends => {
                state.trace.note(Event::Advance { to: when });
                self.set_clock(state, when);
            }
            _ => deadlock(state),
        }
    }

    /// Calls a guest, on the thread that holds the baton.
    fn visit<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        visit: Visit,
    ) -> MutexGuard<'a, State> {
        state.set_visiting(true);
        drop(state);
        let number = match &visit {
            Visit::Interrupt(_, number) | Visit::Timer(_, number) => *number,
        };
        // The guest may be dropped in here, for this may be the last that holds it.
        let outcome = catch_unwind(AssertUnwindSafe(move || {
            let (guest, carried) = match visit {
                Visit::Interrupt(guest, _) => {
                    let carried = guest.interrupt();
                    (guest, carried)
                }
                Visit::Timer(guest, _) => {
                    let carried = guest.timer();
                    (guest, carried)
                }
            };
            (carried == Carried::Again).then_some(guest)
        }));
        let mut state = self.lock();
        state.set_visiting(false);
        match outcome {
            Ok(Some(guest)) => state.pending.push(Visit::Interrupt(guest, number)),
            Ok(None) => {}
            Err(payload) => {
                let text = format!("guest {number} panicked: {}", report::message(&*payload));
                state.failures.push(text);
            }
        }
        state
    }

    fn set_clock(&self, state: &mut State, to: u64) {
        if to > state.now {
            state.now = to;
            state.visits_since = 0;
        }
        self.clock.store(state.now, Ordering::Release);
    }

    /// Lets other threads and guests go first, if the seed says so.
    pub fn yield_now(&self) {
        let me = self.me("yield_now");
        let mut state = self.lock();
        report::refuse_in_visit(&state, "yield_now");
        state.ready(me, Verdict::Woken);
        drop(self.reschedule(state, me));
    }

    /// Lets another thread run, for one that spins in a kernel: calls no guest.
    pub(crate) fn spin(&self) {
        let Some(me) = self.member() else { return std::hint::spin_loop() };
        let mut state = self.lock();
        let others = state.runnable.len() as u64;
        if others == 0 {
            state.spins_alone += 1;
            let alone = state.spins_alone;
            drop(state);
            assert!(alone < SPINS_ALONE, "sim: thread {me} spins, and no other thread can run");
        } else if state.threads.contains_key(&me) {
            let n = crate::below(&mut state.rng, others) as usize;
            let next = state.take_thread(n);
            state.ready(me, Verdict::Woken);
            state.hand_to(next);
            drop(self.await_turn(state, me));
        }
    }

    /// Stops the calling thread for this much virtual time. It must be outside of every kernel.
    pub fn sleep(&self, time: Duration) {
        let me = self.me("sleep");
        let state = self.lock();
        report::refuse_in_visit(&state, "sleep");
        let deadline = state.now.saturating_add(nanos(time));
        let (state, verdict) = self.block(state, me, Key::Sleep(me), 0, Some(deadline));
        drop(state);
        survive(verdict);
    }

    /// Stops the calling thread until nobody else has anything to do at the present time: every
    /// other thread waits, and no guest is pending. Time does not jump.
    pub fn settle(&self) {
        let me = self.me("settle");
        let state = self.lock();
        report::refuse_in_visit(&state, "settle");
        let (state, verdict) = self.block(state, me, Key::Settled, 0, None);
        drop(state);
        survive(verdict);
    }
}

/// Panics if the thread goes on only to hear that it would have waited for ever.
pub fn survive(verdict: Verdict) {
    if let Verdict::Doomed(text) = verdict {
        panic!("sim: {text}");
    }
}

/// No thread can ever run again: each one that waits is told so.
fn deadlock(state: &mut State) {
    state.deadlocks += 1;
    let text = report::deadlock(state);
    if state.deadlocks > DEADLOCKS {
        eprintln!("sim: threads wait again after being told of a deadlock; giving up\n{text}");
        std::process::abort();
    }
    if state.deadlocks == 1 {
        state.failures.push(text.clone());
    }
    state.visits_since = 0;
    doom(state, text);
}

/// Makes every waiting thread, but one in `finish`, go on with a panic.
fn doom(state: &mut State, text: String) {
    let text: Arc<str> = text.into();
    let doomed: Vec<u64> = state
        .threads
        .iter()
        .filter(|(_, e)| e.blocked.as_ref().is_some_and(|b| b.key != Key::AllEnded))
        .map(|(thread, _)| *thread)
        .collect();
    for thread in doomed {
        state.unpark(thread, Verdict::Doomed(text.clone()));
    }
}
