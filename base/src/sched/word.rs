//! The state word of a virtual CPU: who has it, who wants it, what is pending for it.
//!
//! One 32-bit word per CPU. A free CPU is taken by one compare-and-swap, whoever used it last,
//! and given back by another; everything else is the slow path.
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | `BUSY` | whoever takes the CPU | its release |
//! | `WANTED` | a thread about to wait for the CPU | the last such thread, when it takes the CPU |
//! | `PENDING` | [`Word::post`]: an interrupt arrived | whoever has the CPU, before it runs interrupts |
//! | `CLOSED` | [`Word::close`]: the kernel is being dropped | nobody |
//! | `DEAD` | [`Word::kill`]: the kernel panicked | nobody |
//!
//! INVARIANT: `PENDING` on a free word means that a visit by the host is under way, or that a
//! thread woken by `WANTED` is about to take the CPU; on a busy one the release sees it, because
//! the release is a compare-and-swap against plain `BUSY`. So no interrupt is lost.
//! INVARIANT: an interrupt never takes the CPU from a thread that waits for it (`WANTED`): a
//! flood of interrupts cannot keep a system call waiting for ever.
//!
//! Locking: none; this is what locks are made of. Model-checked in `loom_tests.rs`.
//! Sources: the book, section 3.3.1 (scheduler). DIFFERS: no memory of the last user; PENDING.

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Instant, Offcpu, Parking, Wakeup};

const BUSY: u32 = 1;
const WANTED: u32 = 2;
const PENDING: u32 = 4;
const CLOSED: u32 = 8;
const DEAD: u32 = 16;

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

/// The state word, with the number of threads that wait for it.
pub(crate) struct Word {
    state: AtomicU32,
    waiters: AtomicU32,
}

impl Word {
    /// A CPU that its maker has.
    pub(crate) fn new_busy() -> Self {
        Self { state: AtomicU32::new(BUSY), waiters: AtomicU32::new(0) }
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
        loop {
            self.waiters.fetch_add(1, Ordering::Relaxed);
            let woken = self.await_free(entry, host, proof, deadline);
            let others = self.waiters.fetch_sub(1, Ordering::Relaxed) - 1;
            let free = woken?;
            // The last one to stop waiting takes WANTED away with it. Should somebody come to
            // wait in between, it finds WANTED missing and sets it again before it sleeps.
            loop {
                let w = self.state.load(Ordering::Relaxed);
                check(w, entry)?;
                let keep = if others == 0 { !WANTED } else { !0 };
                if w & BUSY == 0 {
                    if self.swap(w, (w & keep) | BUSY, Ordering::Acquire) {
                        return Ok(true);
                    }
                } else if free {
                    break;
                } else if w & keep == w {
                    return Ok(false);
                } else if self.swap(w, w & keep, Ordering::Relaxed) {
                    // Somebody may have come to wait in between, trusting in WANTED: it looks again.
                    host.wake(&self.state, u32::MAX);
                    return Ok(false);
                }
            }
        }
    }

    /// Sleeps until the word is not busy, or shut; false if `deadline` has passed.
    fn await_free(
        &self,
        entry: Entry,
        host: &(impl Parking + ?Sized),
        proof: &Offcpu,
        deadline: Option<Instant>,
    ) -> Result<bool, Shut> {
        loop {
            let w = self.state.load(Ordering::Relaxed);
            check(w, entry)?;
            if w & BUSY == 0 {
                return Ok(true);
            }
            let marked = w & WANTED != 0 || self.swap(w, w | WANTED, Ordering::Relaxed);
            if marked && host.wait(proof, &self.state, w | WANTED, deadline) == Wakeup::TimedOut {
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
