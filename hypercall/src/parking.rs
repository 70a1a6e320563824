//! Wait and wake on a word: the one blocking primitive.

use crate::Instant;
use crate::atomic::AtomicU32;

/// Proof that the calling thread holds no virtual CPU of any kernel.
///
/// Having one tells you that blocking is allowed. It does not tell you how long you may block.
/// Only a kernel's scheduler makes one (`base/src/sched/offcpu.rs`; `cargo xtask tidy` allows the
/// constructor in that file and in hosts), so that forgetting to release the CPU before a
/// blocking call is a type error. It cannot leave its thread.
pub struct Offcpu {
    _not_send: core::marker::PhantomData<*mut ()>,
}

impl Offcpu {
    /// For schedulers only.
    #[doc(hidden)]
    #[inline]
    pub const fn scheduler_only() -> Self {
        Self { _not_send: core::marker::PhantomData }
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wakeup {
    /// The word changed, somebody woke the thread, or nothing happened at all: look again.
    Woken,
    /// The deadline passed.
    TimedOut,
}

/// Waiting and waking.
pub trait Parking {
    /// Blocks while `word` holds `expected`, until woken or until `deadline`. May return early
    /// for no reason. Before it blocks, the thread carries what it raised with
    /// [`crate::Interrupts::raise_local`]. Acquires what the waker released.
    fn wait(
        &self,
        proof: &Offcpu,
        word: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
    ) -> Wakeup;

    /// Wakes up to `count` threads that wait on `word`. Never blocks; `word` may belong to a
    /// thread that has already gone on.
    fn wake(&self, word: &AtomicU32, count: u32);
}
