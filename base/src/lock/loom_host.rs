//! The host of the models: wait and wake with the futex's meaning, for the model checker.
//!
//! * [`Futex`]: what it leaves asleep for ever is a deadlock, which the checker reports. No
//!   wake-up reaches a sleeper on another word, so that it cannot stand in for one that is lost.
//! * [`Futex::pass_deadlines`]: time passes; whoever waits with a deadline, or will, times out.
//! * [`check`]: explores a model.
//!
//! Locking: one mutex over all words. Sources: futex(2).

use std::boxed::Box;
use std::vec::Vec;

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Instant, Join, Offcpu, Parking, SpawnError, Threads, Wakeup};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// A thread that waits.
struct Asleep {
    word: usize,
    has_deadline: bool,
    bell: Arc<Condvar>,
}

struct State {
    /// First come, first woken. Whoever is woken has been taken out.
    asleep: Vec<Asleep>,
    passed: bool,
}

pub(crate) struct Futex(Mutex<State>);

impl Futex {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { asleep: Vec::new(), passed: false }))
    }

    pub(crate) fn pass_deadlines(&self) {
        let mut state = self.0.lock().unwrap();
        state.passed = true;
        rouse(&mut state, u32::MAX, |a| a.has_deadline);
    }
}

/// Takes out, and wakes, up to `count` of those that `which` names.
fn rouse(state: &mut State, count: u32, which: impl Fn(&Asleep) -> bool) {
    for _ in 0..count {
        let Some(at) = state.asleep.iter().position(&which) else { return };
        state.asleep.remove(at).bell.notify_one();
    }
}

impl Parking for Futex {
    fn wait(
        &self,
        _: &Offcpu,
        word: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
    ) -> Wakeup {
        let mut state = self.0.lock().unwrap();
        if word.load(Ordering::Acquire) != expected {
            return Wakeup::Woken;
        }
        if state.passed && deadline.is_some() {
            return Wakeup::TimedOut;
        }
        let bell = Arc::new(Condvar::new());
        let word = core::ptr::from_ref(word).addr();
        state.asleep.push(Asleep { word, has_deadline: deadline.is_some(), bell: bell.clone() });
        // The checker's own condition variables may end a wait for no reason.
        while state.asleep.iter().any(|a| Arc::ptr_eq(&a.bell, &bell)) {
            state = bell.wait(state).unwrap();
        }
        // As with the real ones, a late wake-up may be reported as a time-out, and is here.
        if state.passed && deadline.is_some() { Wakeup::TimedOut } else { Wakeup::Woken }
    }

    fn wake(&self, word: &AtomicU32, count: u32) {
        let word = core::ptr::from_ref(word).addr();
        rouse(&mut self.0.lock().unwrap(), count, |a| a.word == word);
    }
}

impl Threads for Futex {
    fn spawn(&self, _: &str, _: Box<dyn FnOnce() + Send>) -> Result<Box<dyn Join>, SpawnError> {
        Err(SpawnError)
    }

    fn current(&self) -> u64 {
        1
    }

    fn yield_now(&self) {
        thread::yield_now();
    }
}

/// Runs `model` in every order of its threads, with as many preemptions as `preemptions` allows.
pub(crate) fn check(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}
