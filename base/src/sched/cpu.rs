//! A virtual CPU.
//!
//! INVARIANT: at most one thread has a CPU, and only that thread touches the fields below the
//! line. A [`crate::Cx`] is the proof of having it; it names the CPU and cannot leave its thread.
//!
//! Locking: the state word and the pending mask are atomics; the rest belongs to the holder.
//! Sources: NetBSD `struct cpu_info`, rump `struct rumpcpu`.

use core::cell::Cell;

use hypercall::atomic::{AtomicU64, Ordering};

use super::word::Word;

/// Packets (or other units of work) that one visit by an interrupt may process.
pub(crate) const BUDGET: u32 = 64;

/// One virtual CPU. On cache lines of its own, so that CPUs do not disturb each other.
#[repr(align(128))]
pub struct Cpu {
    pub(crate) word: Word,
    /// One bit for each interrupt line of this CPU that is raised; see [`super::line`].
    pending: AtomicU64,
    /// The thread whose visit can run user code, or 0: it may not wait for its own end.
    pub(crate) visitor: AtomicU64,
    // ---- the holder's ----
    pub(crate) index: u32,
    /// Identifies the kernel, for locks; 0 for the CPU of nobody (see [`Cpu::nobodys`]).
    pub(crate) kernel: usize,
    /// One bit for each soft interrupt that is scheduled; see [`super::softint`].
    pub(crate) soft: Cell<u64>,
    /// What is left of the budget of the interrupt that runs.
    pub(crate) budget: Cell<u32>,
    /// Something was raised with `raise_local`: the host's `carry` is owed.
    pub(crate) owes_carry: Cell<bool>,
    /// Interrupts or soft interrupts are running: they do not nest.
    pub(crate) in_interrupt: Cell<bool>,
    /// Ranks of the locks held (debug builds).
    pub(crate) held: Cell<u64>,
}

// SAFETY: the cells are touched only by the thread that has the CPU, which the state word hands
// from thread to thread with acquire and release.
unsafe impl Sync for Cpu {}
// SAFETY: a `Cpu` owns nothing that is tied to a thread.
unsafe impl Send for Cpu {}

impl Cpu {
    /// A CPU that its maker has.
    pub(crate) fn new_busy(index: u32, kernel: usize) -> Self {
        Self {
            kernel,
            word: Word::new_busy(),
            pending: AtomicU64::new(0),
            visitor: AtomicU64::new(0),
            index,
            soft: Cell::new(0),
            budget: Cell::new(BUDGET),
            owes_carry: Cell::new(false),
            in_interrupt: Cell::new(false),
            held: Cell::new(0),
        }
    }

    /// A CPU of no kernel, for the context of a thread that is being thrown out of a dead one: if
    /// somebody catches it on its way and goes on, every lock refuses it.
    #[cold]
    pub(crate) fn nobodys() -> &'static Cpu {
        #[expect(clippy::disallowed_methods, reason = "leaked with the rest of the dead kernel")]
        alloc::boxed::Box::leak(alloc::boxed::Box::new(Cpu::new_busy(0, 0)))
    }

    /// Raises lines; true if the host must be asked to visit.
    #[inline]
    pub(crate) fn raise(&self, mask: u64) -> bool {
        // A line that is raised already is on its way; whoever takes the mask sees this one too.
        self.pending.fetch_or(mask, Ordering::Release) & mask != mask && self.word.post()
    }

    /// Takes the raised lines. The holder's.
    #[inline]
    pub(crate) fn take_raised(&self) -> u64 {
        self.pending.swap(0, Ordering::Acquire)
    }
}
