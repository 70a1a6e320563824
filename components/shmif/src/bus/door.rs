//! A member's door: how others tell it that they have something, and how its host waits for that.
//!
//! Three words. `pending` has a bit for each sender that has something; `bell` changes when
//! somebody rings, and is what the waiting thread sleeps on; `asleep` says whether it does.
//!
//! A sender sets its bit; if that was not set, it rings: it changes the bell, and says that the
//! sleeper must be woken if there is one. A bit that is set already means that this sender has rung
//! since the receiver last looked, so nothing more is owed. That another sender's bit is set means
//! nothing: that one may have died before it rang.
//!
//! The waiting thread marks itself asleep and then looks at the bell; a sender changes the bell and
//! then looks at the mark. So one of the two sees the other, and the system compares the bell once
//! more when it puts the thread to sleep.
//!
//! Locking: none. Model-checked in `loom_tests.rs`. Sources: futex(2).

use base::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// See the module's text.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    pub(super) pending: &'a AtomicU64,
    pub(super) bell: &'a AtomicU32,
    pub(super) asleep: &'a AtomicU32,
}

impl<'a> Door<'a> {
    /// The sender with this bit has something; true if the sleeper must be woken.
    #[inline]
    pub fn tell(&self, bit: u64) -> bool {
        self.pending.fetch_or(bit, Ordering::AcqRel) & bit == 0 && self.ring()
    }

    /// Rings; true if the sleeper must be woken.
    #[inline]
    pub fn ring(&self) -> bool {
        self.bell.fetch_add(1, Ordering::Release);
        // With the fence in `doze`: this sees the mark, or that sees the bell.
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) != 0
    }

    /// Whether the sender with this bit has something that was not looked at.
    pub fn was_told(&self, bit: u64) -> bool {
        self.pending.load(Ordering::Acquire) & bit != 0
    }

    /// The receiver takes note of who has something. Acquires what those did before they told.
    #[inline]
    pub fn look(&self) -> u64 {
        self.pending.swap(0, Ordering::AcqRel)
    }

    /// The waiting thread is about to sleep: the bell now. If it is what was seen last, it may.
    #[inline]
    pub fn doze(&self) -> u32 {
        self.asleep.store(1, Ordering::Relaxed);
        // With the fence in `ring`.
        fence(Ordering::SeqCst);
        self.bell.load(Ordering::Acquire)
    }

    /// It is awake: senders need not call the system.
    #[inline]
    pub fn rise(&self) {
        self.asleep.store(0, Ordering::Relaxed);
    }

    /// The word to sleep on.
    #[inline]
    pub fn bell(&self) -> &'a AtomicU32 {
        self.bell
    }

    /// A new owner, who has told nobody yet that it is there.
    pub fn reset(&self) {
        self.asleep.store(0, Ordering::Relaxed);
        self.pending.store(0, Ordering::Relaxed);
    }
}
