//! Interrupts: how a host carries them into whichever kernel they are for.

use alloc::sync::Arc;

use crate::Offcpu;

/// What a visit to a kernel came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// Nothing is left for this visitor: all was run, or whoever holds the CPU will run it.
    Done,
    /// The budget was used up; raise the guest again, behind the others.
    Again,
}

/// A kernel as its host sees it: the up-calls. Never block; may be called from any thread that
/// is inside no kernel.
pub trait Guest: Send + Sync {
    /// Runs what is pending, if a virtual CPU is free; if none is, whoever holds it does so on
    /// release. At most a budget's worth (64 packets or 50 µs, whichever comes first).
    fn interrupt(&self) -> Carried;

    /// The deadline given to [`crate::Timers::rearm`] has passed. Marks the timer pending and
    /// then does what [`Guest::interrupt`] does.
    fn timer(&self) -> Carried;
}

/// Interrupt delivery. A guest that has been raised and not yet visited is not raised again by
/// the kernel (its PENDING bit sees to that), so a queue of guests is bounded by their number.
pub trait Interrupts {
    /// Has some thread of the host call [`Guest::interrupt`] soon. From any thread; never blocks.
    fn raise(&self, guest: Arc<dyn Guest>);

    /// The same, by a thread that promises to call [`Interrupts::carry`] or
    /// [`crate::Parking::wait`] once it is outside, so that it may carry the interrupt itself and
    /// no other thread need wake up.
    fn raise_local(&self, guest: Arc<dyn Guest>) {
        self.raise(guest);
    }

    /// [`Interrupts::raise_local`] and [`Interrupts::carry`] in one, by a thread that is outside of
    /// every kernel.
    fn visit(&self, proof: &Offcpu, guest: Arc<dyn Guest>) {
        self.raise_local(guest);
        self.carry(proof);
    }

    /// The calling thread is outside of every kernel: carries what it raised with
    /// [`Interrupts::raise_local`], up to a budget, and hands the rest to workers.
    fn carry(&self, proof: &Offcpu);
}
