//! Soft interrupts: work that an interrupt, or a system call, puts off a little.
//!
//! The four properties that drivers rely on (the book, section 3.3.2) hold because soft
//! interrupts run on the thread that is about to release the CPU:
//! 1. on one CPU one runs at a time, to its end: they do not nest;
//! 2. they may take an interrupt mutex but not sleep: their context cannot;
//! 3. they run on the CPU on which they were scheduled;
//! 4. they run only after the interrupt that scheduled them has finished.
//!
//! ```
//! fn thread(l: &mut base::Lwp<'_>) { l.sleep_until(l.now()); }
//! ```
//! ```compile_fail
//! fn softint(cx: &base::Cx<'_>) { cx.sleep_until(cx.now()); }
//! ```
//!
//! A layer defines one with `softint!` and schedules it with [`schedule`].
//!
//! Locking: none; the mask is the CPU's own. Sources: NetBSD softint(9).

use linkme::distributed_slice;

use crate::cx::Cx;

/// Lower levels run first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Timers.
    Clock,
    /// Block I/O.
    Bio,
    /// Network protocols.
    Net,
    /// Character devices.
    Serial,
}

/// A soft interrupt.
pub struct Softint {
    /// For statistics and messages.
    pub name: &'static str,
    /// When it runs among others.
    pub level: Level,
    /// What it runs.
    pub run: fn(cx: &Cx<'_>),
}

/// The soft interrupts of all components in this binary; at most 64.
#[distributed_slice]
pub static SOFTINTS: [Softint];

/// Registers a [`Softint`]: `base::softint! { static NAME = Softint { … }; }`.
#[macro_export]
macro_rules! softint {
    ($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;) => {
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::sched::softint::SOFTINTS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::sched::softint::Softint = $value;
    };
}

/// One bit each in a CPU's mask.
const MAX: usize = u64::BITS as usize;

/// Schedules `softint` on this CPU. Scheduled twice before it runs, it runs once.
#[inline]
pub fn schedule(cx: &Cx<'_>, softint: &'static Softint) {
    let cpu = cx.cpu();
    let index = index_of(softint);
    assert!(index < MAX, "softint {} is not registered, or one too many", softint.name);
    cpu.soft.set(cpu.soft.get() | 1 << index);
}

/// Where `softint` stands in the set: its address says it.
#[inline]
fn index_of(softint: &'static Softint) -> usize {
    let start = SOFTINTS.as_ptr() as usize;
    (core::ptr::from_ref(softint) as usize).wrapping_sub(start) / size_of::<Softint>()
}

/// Runs what is scheduled, lower levels first, until nothing is or the budget is spent; what is
/// left then stays scheduled on its CPU.
pub(crate) fn run(cx: &Cx<'_>) {
    let cpu = cx.cpu();
    while let Some(i) = first_of(cpu.soft.get()) {
        cpu.soft.set(cpu.soft.get() & !(1 << i));
        if let Some(softint) = SOFTINTS.get(i as usize) {
            (softint.run)(cx);
        }
        // Each counts as a unit of work, so that one that schedules itself again ends somewhere.
        if !cx.spend() {
            return;
        }
    }
}

/// The scheduled soft interrupt of the lowest level.
fn first_of(mask: u64) -> Option<u32> {
    if mask & mask.wrapping_sub(1) == 0 {
        return (mask != 0).then(|| mask.trailing_zeros());
    }
    let level = |i: &u32| SOFTINTS.get(*i as usize).map(|s| s.level);
    (0..64).filter(|i| mask & (1 << i) != 0).min_by_key(level)
}
