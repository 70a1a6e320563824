//! Models of the scheduler's words for the model checker: every order of two or three threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p anykernel-base --lib loom`
//!
//! * The host is [`Futex`].
//! * Interrupts are modelled by [`Device`]: lines raised, and handled with the CPU.
//!
//! Locking: the host's own. Sources: the book, section 3.3; futex(2).

use std::sync::atomic::{AtomicUsize as Plain, Ordering::Relaxed as PLAIN};

use hypercall::Offcpu;
use hypercall::atomic::{AtomicU32, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::cpu::Cpu;
use super::word::{Entry, Release, Shut, Word};
use crate::lock::loom_host::{Futex, check};
use crate::lock::raw::RawSpin;

/// A word, its host, and what only the holder may touch.
struct Shared {
    word: Word,
    host: Futex,
    inside: UnsafeCell<u32>,
}

impl Shared {
    /// With a CPU that is free.
    fn new() -> Arc<Self> {
        let this = Self { word: Word::new_busy(), host: Futex::new(), inside: UnsafeCell::new(0) };
        assert!(this.word.release_fast());
        Arc::new(this)
    }

    fn acquire(&self, entry: Entry) -> Result<(), Shut> {
        if self.word.acquire_fast() {
            return Ok(());
        }
        self.word.acquire_slow(entry, &self.host, &Offcpu::scheduler_only())
    }

    /// What needs the CPU: the checker refuses two threads at once.
    fn work(&self) {
        // SAFETY: the caller has the CPU; the checker sees to it that this is so.
        self.inside.with_mut(|n| unsafe { *n += 1 });
    }

    fn worked(&self) -> u32 {
        // SAFETY: all threads have ended, or the caller has the CPU.
        self.inside.with(|n| unsafe { *n })
    }

    /// Gives the CPU back where no interrupts are.
    fn release(&self) {
        if !self.word.release_fast() {
            assert_eq!(self.word.release(&self.host), Release::Free);
        }
    }
}

/// `others` threads take the CPU, and so does the model's own.
fn exclusion(others: usize, preemptions: Option<usize>) {
    check(preemptions, move || {
        let shared = Shared::new();
        let visit = |s: &Shared| {
            s.acquire(Entry::Fresh).unwrap();
            s.work();
            s.release();
        };
        let threads: Vec<_> = (0..others)
            .map(|_| {
                let s = shared.clone();
                thread::spawn(move || visit(&s))
            })
            .collect();
        visit(&shared);
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(shared.worked() as usize, others + 1);
        assert!(shared.word.acquire_fast(), "nothing is left in the word");
    });
}

#[test]
fn two_threads_exclude_each_other_and_both_get_in() {
    exclusion(1, None);
}

#[test]
fn three_threads_exclude_each_other_and_all_get_in() {
    exclusion(2, Some(4));
}

/// One interrupt line of a CPU, and the host's part of carrying it.
struct Device {
    shared: Arc<Shared>,
    /// Raised and not yet handled.
    raised: AtomicU32,
    /// How often the handler found it raised, and how often somebody asked for a visit. Not the
    /// checker's: they order nothing.
    handled: Plain,
    asked: Plain,
}

impl Device {
    fn new() -> Arc<Self> {
        let (raised, shared) = (AtomicU32::new(0), Shared::new());
        Arc::new(Self { shared, raised, handled: Plain::new(0), asked: Plain::new(0) })
    }

    /// An interrupt arrives; the caller is the host and visits if it must.
    fn interrupt(&self) {
        self.raised.fetch_add(1, Ordering::Release);
        if self.shared.word.post() {
            self.asked.fetch_add(1, PLAIN);
            self.visit();
        }
    }

    /// The host's visit. It never waits.
    fn visit(&self) {
        if !self.shared.word.acquire_for_interrupt() {
            return;
        }
        self.handle();
        if self.shared.word.release(&self.shared.host) == Release::Pending
            && self.shared.word.release_pending(&self.shared.host)
        {
            self.visit();
        }
    }

    /// With the CPU: takes what is raised.
    fn handle(&self) {
        self.shared.word.take_pending();
        self.shared.work();
        self.handled.fetch_add(self.raised.swap(0, Ordering::Acquire) as usize, PLAIN);
    }

    /// A thread's visit, that sees to interrupts on its way out.
    fn enter(&self) {
        self.shared.acquire(Entry::Fresh).unwrap();
        self.shared.work();
        if self.shared.word.release_fast() {
            return;
        }
        loop {
            self.handle();
            if self.shared.word.release(&self.shared.host) == Release::Free {
                return;
            }
        }
    }

    /// A thread's visit whose budget is spent: it hands on what is pending.
    fn enter_and_hand_on(&self) {
        self.shared.acquire(Entry::Fresh).unwrap();
        self.shared.work();
        if !self.shared.word.release_fast() && self.shared.word.release_pending(&self.shared.host) {
            self.visit();
        }
    }

    fn assert_all_handled(&self, interrupts: usize) {
        assert_eq!(self.handled.load(PLAIN), interrupts, "an interrupt was lost");
        assert!(self.shared.word.acquire_fast(), "nothing is left in the word");
    }
}

/// Runs the parts at once, each on a thread of its own, and looks at what became of interrupts.
fn device(preemptions: Option<usize>, interrupts: usize, parts: &'static [fn(&Device)]) {
    check(preemptions, move || {
        let device = Device::new();
        let threads: Vec<_> = parts
            .iter()
            .skip(1)
            .map(|part| {
                let d = device.clone();
                thread::spawn(move || part(&d))
            })
            .collect();
        parts[0](&device);
        threads.into_iter().for_each(|t| t.join().unwrap());
        device.assert_all_handled(interrupts);
    });
}

#[test]
fn an_interrupt_during_a_visit_is_handled_by_somebody() {
    device(None, 1, &[Device::enter, Device::interrupt]);
}

#[test]
fn two_interrupts_are_handled_one_at_a_time() {
    device(None, 2, &[Device::interrupt, Device::interrupt]);
}

#[test]
fn interrupts_from_two_threads_during_a_visit_are_handled() {
    device(Some(4), 2, &[Device::enter, Device::interrupt, Device::interrupt]);
}

#[test]
fn an_interrupt_beside_threads_that_wait_is_handled() {
    device(Some(4), 1, &[Device::enter, Device::enter, Device::interrupt]);
}

#[test]
fn a_release_that_hands_on_loses_nothing() {
    device(None, 1, &[Device::enter_and_hand_on, Device::interrupt]);
}

#[test]
fn a_release_that_hands_on_beside_one_that_waits_loses_nothing() {
    device(Some(4), 1, &[Device::enter_and_hand_on, Device::enter, Device::interrupt]);
}

#[test]
fn an_interrupt_does_not_take_the_cpu_from_a_thread_that_waits() {
    check(None, || {
        let shared = Shared::new();
        assert!(shared.word.acquire_fast());
        let waiter = {
            let s = shared.clone();
            thread::spawn(move || {
                s.acquire(Entry::Fresh).unwrap();
                s.work();
                s.word.take_pending();
                s.release();
            })
        };
        // Whether or not the other thread waits by now: if the host is not to visit, the thread
        // that waits sees to the interrupt, so the host could not have the CPU either.
        let ours = shared.word.release_pending(&shared.host);
        if !ours {
            assert!(!shared.word.acquire_for_interrupt() || shared.worked() == 1);
        }
        waiter.join().unwrap();
    });
}

#[test]
fn close_sends_fresh_threads_away_and_lets_sleepers_back_in() {
    check(Some(3), || {
        let shared = Shared::new();
        assert!(shared.word.acquire_fast());
        let fresh = {
            let s = shared.clone();
            thread::spawn(move || match s.acquire(Entry::Fresh) {
                // Before the close, if the CPU was given back by then.
                Ok(()) => {
                    s.work();
                    s.release();
                    true
                }
                Err(e) => {
                    assert_eq!(e, Shut::Closed);
                    false
                }
            })
        };
        let sleeper = {
            let s = shared.clone();
            thread::spawn(move || {
                s.acquire(Entry::Resume).unwrap();
                s.work();
                s.release();
            })
        };
        shared.word.close(&shared.host);
        // The CPU is still ours: nobody got in.
        assert_eq!(shared.worked(), 0);
        shared.release();
        sleeper.join().unwrap();
        assert!(!fresh.join().unwrap(), "closed before the CPU was free");
        assert_eq!(shared.worked(), 1);
        assert_eq!(shared.acquire(Entry::Fresh), Err(Shut::Closed));
    });
}

#[test]
fn kill_sends_everybody_away() {
    check(Some(3), || {
        let shared = Shared::new();
        // Whoever has the CPU panicked and never gives it back.
        assert!(shared.word.acquire_fast());
        let threads: Vec<_> = [Entry::Fresh, Entry::Resume]
            .into_iter()
            .map(|entry| {
                let s = shared.clone();
                thread::spawn(move || assert_eq!(s.acquire(entry), Err(Shut::Dead)))
            })
            .collect();
        shared.word.kill(&shared.host);
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert!(!shared.word.acquire_for_interrupt());
        assert!(!shared.word.post(), "nobody visits the dead");
    });
}

#[test]
fn the_end_takes_the_cpu_from_a_thread_that_leaves() {
    check(None, || {
        let shared = Shared::new();
        let thread = {
            let s = shared.clone();
            thread::spawn(move || {
                if s.acquire(Entry::Fresh).is_ok() {
                    s.work();
                    s.release();
                }
            })
        };
        shared.word.close(&shared.host);
        shared.acquire(Entry::Resume).unwrap();
        // The checker sees that the other thread is not inside.
        let _ = shared.worked();
        thread.join().unwrap();
    });
}

#[test]
fn a_spin_lock_excludes() {
    // Two threads only: among three, two that spin keep each other busy for ever in the model.
    check(None, || {
        let shared = Arc::new((RawSpin::new(), UnsafeCell::new(0), Futex::new()));
        let work = |s: &(RawSpin, UnsafeCell<u32>, Futex)| {
            s.0.lock(&s.2);
            // SAFETY: the lock is held, as the checker verifies.
            s.1.with_mut(|n| unsafe { *n += 1 });
            s.0.unlock();
        };
        let other = {
            let s = shared.clone();
            thread::spawn(move || {
                work(&s);
                work(&s);
            })
        };
        work(&shared);
        other.join().unwrap();
        // SAFETY: the other thread has ended.
        assert_eq!(shared.1.with(|n| unsafe { *n }), 3);
        assert!(shared.0.try_lock());
    });
}

/// A CPU with a level-like line: what was written before it was raised is seen by a handler that
/// starts afterwards, whoever raised it first.
#[test]
fn a_line_raised_twice_is_seen_with_what_both_wrote() {
    check(Some(3), || {
        let shared = Arc::new((Cpu::new_busy(0, 0), AtomicU32::new(0)));
        assert!(shared.0.word.release_fast());
        let raise = |s: &(Cpu, AtomicU32), value: u32| {
            s.1.fetch_or(value, Ordering::Relaxed);
            s.0.raise(1)
        };
        /// The host's visit; what the handler saw last.
        fn visit(s: &(Cpu, AtomicU32)) -> u32 {
            let mut seen = 0;
            while s.0.word.acquire_for_interrupt() {
                let host = Futex::new();
                s.0.word.take_pending();
                if s.0.take_raised() != 0 {
                    seen = s.1.load(Ordering::Relaxed);
                }
                if s.0.word.release(&host) == Release::Free {
                    break;
                }
                assert!(s.0.word.release_pending(&host));
            }
            seen
        }
        let other = {
            let s = shared.clone();
            thread::spawn(move || if raise(&s, 1) { visit(&s) } else { 0 })
        };
        let mine = if raise(&shared, 2) { visit(&shared) } else { 0 };
        let seen = mine.max(other.join().unwrap());
        assert_eq!(seen, 3, "a handler ran after both");
        assert_eq!(shared.0.take_raised(), 0);
    });
}
