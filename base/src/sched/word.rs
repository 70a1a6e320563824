//! The state word of a virtual CPU: who has it, who wants it, what is pending for it.
//!
//! One 32-bit word per CPU. A free CPU is taken by one compare-and-swap, whoever used it last,
//! and given back by another; everything else is the slow path.
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | `BUSY` | whoever takes the CPU | its release |
//! | `WANTED`: how many | a thread about to wait for the CPU | the same, when it has it or gives up |
//! | `PENDING` | [`Word::post`]: an interrupt arrived | whoever has the CPU, before it runs interrupts |
//! | `CLOSED` | [`Word::close`]: the kernel is being dropped | nobody |
//! | `DEAD` | [`Word::kill`]: the kernel panicked | nobody |
//!
//! INVARIANT: `PENDING` on a free word means that a visit by the host is under way, or that a
//! thread woken by `WANTED` is about to take the CPU; on a busy one the release sees it, because
//! the release is a compare-and-swap against plain `BUSY`. So no interrupt is lost.
//! INVARIANT: whoever waits is counted in the word itself, from before it sleeps until the step in
//! which it takes the CPU or gives up. So no release misses one that sleeps, and no interrupt is
//! left to one that has gone. (A mark and a count beside it could disagree: one that takes the
//! mark away is late, and two more have come.)
//! INVARIANT: an interrupt never takes the CPU from a thread that waits for it (`WANTED`): a
//! flood of interrupts cannot keep a system call waiting for ever.
//!
//! Locking: none; this is what locks are made of. Model-checked in `loom_tests.rs`.
//! Sources: the book, section 3.3.1 (scheduler). DIFFERS: no memory of the last user; PENDING.

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Instant, Offcpu, Parking, Wakeup};

const BUSY: u32 = 1;
const PENDING: u32 = 2;
const CLOSED: u32 = 4;
const DEAD: u32 = 8;
/// One thread that waits; they are counted from this bit on.
const WAITER: u32 = 16;
const WANTED: u32 = !(WAITER - 1);

/// How often a thread looks again before it sleeps: long enough for a short system call.
#[cfg(not(loom))]
const SPINS: u32 = 100;
#[cfg(loom)]
const SPINS: u32 = 0;

/// Why a CPU cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shut {
    /// The kernel is being dropped, or was.
    Closed,
    /// The kernel panicked.
    Dead,
    /// The thread is inside already: it would wait for itself.
    Inside,
}

/// What a thread wants the CPU for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// It comes from outside; refused once the kernel is closed.
    Fresh,
    /// It was inside and slept; a closed kernel still lets it in, so that it can leave in order.
    Resume,
}

/// What a release came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Release {
    /// The CPU is free.
    Free,
    /// The caller still has it: interrupts arrived. [`Word::take_pending`], run them, try again.
    Pending,
}

/// The state word.
pub(crate) struct Word {
    state: AtomicU32,
}

impl Word {
    /// A CPU that its maker has.
    pub(crate) fn new_busy() -> Self {
        Self { state: AtomicU32::new(BUSY) }
    }

    /// Takes the CPU if it is free and nothing else is going on.
    #[inline]
    pub(crate) fn acquire_fast(&self) -> bool {
        self.state.compare_exchange(0, BUSY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the CPU if it is free, for a thread.
    pub(crate) fn try_acquire(&self, entry: Entry) -> Result<bool, Shut> {
        loop {
            let w = self.state.load(Ordering::Relaxed);
            check(w, entry)?;
            if w & BUSY != 0 {
                return Ok(false);
            }
            if self.swap(w, w | BUSY, Ordering::Acquire) {
                return Ok(true);
            }
        }
    }

    /// Takes the CPU for an interrupt: only if it is free and no thread waits for it. On success
    /// what was pending is the caller's to run.
    pub(crate) fn acquire_for_interrupt(&self) -> bool {
        loop {
            let w = self.state.load(Ordering::Relaxed);
            if w & !PENDING != 0 {
                return false;
            }
            if self.swap(w, BUSY, Ordering::Acquire) {
                return true;
            }
        }
    }

    /// Takes the CPU; waits until it can be had.
    #[cold]
    pub(crate) fn acquire_slow(
        &self,
        entry: Entry,
        host: &(impl Parking + ?Sized),
        proof: &Offcpu,
    ) -> Result<(), Shut> {
        while !self.acquire_until(entry, host, proof, None)? {}
        Ok(())
    }

    /// The same, until `deadline`; false if it has passed.
    #[cold]
    pub(crate) fn acquire_until(
        &self,
        entry: Entry,
        host: &(impl Parking + ?Sized),
        proof: &Offcpu,
        deadline: Option<Instant>,
    ) -> Result<bool, Shut> {
        for _ in 0..SPINS {
            if self.try_acquire(entry)? {
                return Ok(true);
            }
            core::hint::spin_loop();
        }
        self.state.fetch_add(WAITER, Ordering::Relaxed);
        let mut in_time = true;
        loop {
            let w = self.state.load(Ordering::Relaxed);
            if let Err(shut) = check(w, entry) {
                self.state.fetch_sub(WAITER, Ordering::Relaxed);
                return Err(shut);
            }
            if w & BUSY == 0 {
                if self.swap(w, (w - WAITER) | BUSY, Ordering::Acquire) {
                    return Ok(true);
                }
            } else if in_time {
                in_time = host.wait(proof, &self.state, w, deadline) == Wakeup::Woken;
            } else if self.swap(w, w - WAITER, Ordering::Relaxed) {
                // It is busy: its holder sees those that still wait.
                return Ok(false);
            }
        }
    }

    /// Gives the CPU back if nothing else is going on.
    #[inline]
    pub(crate) fn release_fast(&self) -> bool {
        self.state.compare_exchange(BUSY, 0, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Gives the CPU back unless interrupts arrived.
    pub(crate) fn release(&self, host: &(impl Parking + ?Sized)) -> Release {
        loop {
            let w = self.state.load(Ordering::Relaxed);
            if w & PENDING != 0 && w & (CLOSED | DEAD) == 0 {
                return Release::Pending;
            }
            if self.swap(w, w & !BUSY, Ordering::Release) {
                self.wake_one(w, host);
                return Release::Free;
            }
        }
    }

    /// Gives the CPU back although interrupts are pending; true if the caller must have the host
    /// visit the kernel for them (false: a waiting thread takes the CPU and sees to it).
    pub(crate) fn release_pending(&self, host: &(impl Parking + ?Sized)) -> bool {
        loop {
            let w = self.state.load(Ordering::Relaxed);
            if self.swap(w, (w | PENDING) & !BUSY, Ordering::Release) {
                self.wake_one(w, host);
                return w & (WANTED | CLOSED | DEAD) == 0;
            }
        }
    }

    /// The holder takes the pending mark; it must then look at what is pending.
    pub(crate) fn take_pending(&self) {
        self.state.fetch_and(!PENDING, Ordering::Acquire);
    }

    /// Marks an interrupt pending; true if the caller must have the host visit the kernel.
    #[inline]
    pub(crate) fn post(&self) -> bool {
        self.state.fetch_or(PENDING, Ordering::AcqRel) == 0
    }

    /// Refuses fresh entries from now on and sends away those that wait.
    pub(crate) fn close(&self, host: &(impl Parking + ?Sized)) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        host.wake(&self.state, u32::MAX);
    }

    /// Refuses everybody from now on, those that slept inside too.
    pub(crate) fn kill(&self, host: &(impl Parking + ?Sized)) {
        self.state.fetch_or(DEAD | CLOSED, Ordering::AcqRel);
        host.wake(&self.state, u32::MAX);
    }

    fn wake_one(&self, w: u32, host: &(impl Parking + ?Sized)) {
        if w & WANTED != 0 {
            host.wake(&self.state, 1);
        }
    }

    fn swap(&self, old: u32, new: u32, success: Ordering) -> bool {
        self.state.compare_exchange_weak(old, new, success, Ordering::Relaxed).is_ok()
    }
}

fn check(w: u32, entry: Entry) -> Result<(), Shut> {
    if w & DEAD != 0 {
        Err(Shut::Dead)
    } else if w & CLOSED != 0 && entry == Entry::Fresh {
        Err(Shut::Closed)
    } else {
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::{Arc, Barrier, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Four at least must meet for this, which is too many for the model checker: one takes the CPU
    /// late, after it has waited, and two more have come to wait; the one of them that is woken
    /// must not forget the other.
    #[test]
    fn everybody_of_a_crowd_gets_in() {
        const CROWD: u32 = 6;
        const ROUNDS: u32 = 5_000;
        let shared = Arc::new((Word::new_busy(), linux::Linux::new(), AtomicU32::new(0)));
        assert!(shared.0.release_fast());
        let start = Arc::new(Barrier::new(CROWD as usize));
        let (done, all_done) = mpsc::channel();
        for _ in 0..CROWD {
            let (shared, start, done) = (shared.clone(), start.clone(), done.clone());
            thread::spawn(move || {
                let (word, host, count) = &*shared;
                let proof = Offcpu::scheduler_only();
                for round in 0..ROUNDS {
                    start.wait();
                    for _ in 0..2 {
                        if !word.acquire_fast() {
                            word.acquire_slow(Entry::Fresh, &**host, &proof).unwrap();
                        }
                        let n = count.load(Ordering::Relaxed);
                        if (round + n) % 3 == 0 {
                            thread::yield_now();
                        }
                        count.store(n + 1, Ordering::Relaxed);
                        if !word.release_fast() {
                            assert_eq!(word.release(&**host), Release::Free);
                        }
                    }
                }
                done.send(()).unwrap();
            });
        }
        for _ in 0..CROWD {
            all_done.recv_timeout(Duration::from_secs(60)).expect("somebody waits for ever");
        }
        assert_eq!(shared.2.load(Ordering::Relaxed), CROWD * ROUNDS * 2);
        assert!(shared.0.acquire_fast(), "free, and nobody is counted");
    }
}
