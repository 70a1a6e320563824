//! The word that one sleeps on: armed, fired, or interrupted.
//!
//! * The sleeper: [`WaitWord::arm`], then it makes itself known and looks once more, then
//!   [`WaitWord::sleep`] and [`WaitWord::ended`].
//! * Others: [`WaitWord::fire`] for the event, [`WaitWord::interrupt`], [`WaitWord::end`].
//!
//! | from | by | to |
//! |---|---|---|
//! | armed | `fire` | fired; in all other states it does nothing |
//! | any | `interrupt` | interrupted, which stays until a sleep reports it |
//! | any | `end` | fired |
//! | fired | `arm` | armed |
//! | interrupted | `ended` | armed |
//!
//! Every change is a read-modify-write, so that whoever sees one has also acquired what those
//! before it released: an interruption does not hide what the event published.
//!
//! Locking: none; this is what waiting is made of. Model-checked in `lock/loom_tests.rs`.

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Instant, Offcpu, Parking, Wakeup};

const ARMED: u32 = 0;
const FIRED: u32 = 1;
const INTERRUPTED: u32 = 2;

pub(crate) struct WaitWord(AtomicU32);

/// What ended a sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The event, or the end of the kernel.
    Fired,
    Interrupted,
    TimedOut,
}

impl WaitWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(ARMED))
    }

    /// Makes ready for a new wait. An interruption that has arrived meanwhile stays.
    pub(crate) fn arm(&self) {
        let _ = self.0.compare_exchange(FIRED, ARMED, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ARMED
    }

    /// The event has happened; whether this is news, and the sleeper must be told.
    pub(crate) fn fire(&self) -> bool {
        self.0.compare_exchange(ARMED, FIRED, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Wakes the sleeper, after [`WaitWord::fire`].
    pub(crate) fn wake(&self, host: &(impl Parking + ?Sized)) {
        host.wake(&self.0, 1);
    }

    /// Ends the sleep, whatever the word says.
    pub(crate) fn end(&self, host: &(impl Parking + ?Sized)) {
        self.0.swap(FIRED, Ordering::Release);
        self.wake(host);
    }

    pub(crate) fn interrupt(&self, host: &(impl Parking + ?Sized)) {
        self.0.swap(INTERRUPTED, Ordering::Release);
        self.wake(host);
    }

    /// Sleeps while armed, until `deadline`, and while `stop` is false. Whoever makes `stop` true
    /// calls [`WaitWord::end`] afterwards.
    pub(crate) fn sleep(
        &self,
        host: &(impl Parking + ?Sized),
        proof: &Offcpu,
        deadline: Option<Instant>,
        stop: impl Fn() -> bool,
    ) -> Wakeup {
        while !stop() && self.0.load(Ordering::Acquire) == ARMED {
            if host.wait(proof, &self.0, ARMED, deadline) == Wakeup::TimedOut {
                return Wakeup::TimedOut;
            }
        }
        Wakeup::Woken
    }

    /// What ended the sleep that `woken` came out of. An interruption is told once.
    pub(crate) fn ended(&self, woken: Wakeup) -> Ended {
        let (from, to) = (INTERRUPTED, ARMED);
        if self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Ended::Interrupted;
        }
        match woken {
            Wakeup::TimedOut if self.is_armed() => Ended::TimedOut,
            _ => Ended::Fired,
        }
    }
}
