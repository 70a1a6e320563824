//! Interrupt lines.
//!
//! A driver establishes a [`Line`] with a handler and gives it to whoever has something for it:
//! the other end of a bus, a thread of the host. Raising is possible from any thread and never
//! blocks; the handler runs on a CPU of the line's kernel, one at a time. Level-like: raised
//! twice before it runs, it runs once; raised while it runs, it runs again.
//!
//! Each CPU has one word of 63 lines and the timer; beyond that lines share bits, and a flag of each
//! line says which of them were raised.
//!
//! Locking: `Rank::Lines` for the table, not held while handlers run.
//! Sources: the book, sections 2.3.3 and 3.3.2. DIFFERS: no thread per interrupt.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use hypercall::Offcpu;

use crate::cx::Cx;
use crate::kernel::Core;
use crate::vm::{KArc, NoMemory};

/// Bits of the pending word that are lines; the highest one is the kernel's timer.
const LINES: u32 = 63;
pub(crate) const TIMER_BIT: u64 = 1 << LINES;

/// What an interrupt runs. It may not sleep (its context cannot), and should stop when
/// [`Cx::spend`] says so, after raising its own line again.
pub trait Handler: Send + Sync {
    /// Looks at what the device has, and deals with it.
    fn interrupt(&self, cx: &Cx<'_>);
}

pub(crate) struct Established {
    place: Place,
    raised: Arc<AtomicBool>,
    handler: KArc<dyn Handler>,
}

impl Established {
    /// Whether this line was raised; it is not any more.
    fn take_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::AcqRel)
    }
}

/// A line's CPU, its bit there, and its number: what the table is ordered by, so that a hub with
/// thousands of lines finds those of a raised bit without looking at all of them.
type Place = (u32, u32, u64);

/// A handle on a line. Weak: raising it after its kernel's end does nothing.
#[derive(Clone)]
pub struct Line {
    core: Weak<Core>,
    place: Place,
    /// Of the lines that share a bit, those that were raised.
    raised: Arc<AtomicBool>,
}

impl Line {
    /// Establishes a line that runs `handler`.
    pub fn establish(cx: &Cx<'_>, handler: KArc<dyn Handler>) -> Result<Line, NoMemory> {
        #[expect(clippy::disallowed_methods, reason = "handles keep it beyond the kernel's end")]
        let raised = Arc::new(AtomicBool::new(false));
        let mut lines = cx.body().lines.lock(cx);
        let id = lines.next_id;
        let bit = (id % u64::from(LINES)) as u32;
        let cpu = (id % u64::from(cx.core().ncpu())) as u32;
        let place = (cpu, bit, id);
        let at = lines.table.partition_point(|e| e.place < place);
        lines.table.insert(at, Established { place, raised: raised.clone(), handler })?;
        lines.next_id += 1;
        Ok(Line { core: cx.core().weak().clone(), place, raised })
    }

    /// Takes the handler away; the line does nothing from now on.
    ///
    /// # Panics
    /// With a context of another kernel.
    pub fn disestablish(&self, cx: &Cx<'_>) {
        assert!(self.core.as_ptr() as usize == cx.kernel_id(), "a line of another kernel");
        let mut lines = cx.body().lines.lock(cx);
        let at = lines.table.binary_search_by_key(&self.place, |e| e.place);
        let gone = at.ok().map(|i| lines.table.remove(i));
        drop(lines);
        // The handler's own destructor may take locks: not under ours.
        drop(gone);
    }

    /// Raises the line, from any thread.
    pub fn raise(&self) {
        // Before the bit, so that whoever takes the bit finds it.
        self.raised.store(true, Ordering::Release);
        if let Some(core) = self.core.upgrade()
            && core.cpu(self.place.0).raise(1 << self.place.1)
        {
            let host = core.host.clone();
            host.raise(core);
        }
    }

    /// Raises the line from a thread of the host that is in no kernel, and carries the interrupt
    /// on that thread: a driver's half on the host that waits for a device needs no other thread
    /// to wake up. False when the line's kernel has ended.
    pub fn raise_outside(&self, proof: &Offcpu) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        self.raised.store(true, Ordering::Release);
        if core.cpu(self.place.0).raise(1 << self.place.1) {
            let host = core.host.clone();
            host.visit(proof, core);
        }
        true
    }

    /// Raises the line from inside a kernel (this or another): the thread itself carries it on
    /// when it leaves or sleeps.
    #[inline]
    pub fn raise_from(&self, cx: &Cx<'_>) {
        let Some(core) = self.core.upgrade() else { return };
        self.raised.store(true, Ordering::Release);
        if core.cpu(self.place.0).raise(1 << self.place.1) {
            if Arc::ptr_eq(&core.host, &cx.core().host) {
                cx.cpu().owes_carry.set(true);
                cx.core().host.raise_local(core);
            } else {
                let host = core.host.clone();
                host.raise(core);
            }
        }
    }
}

pub(crate) struct Lines {
    /// In the order of their places.
    pub(crate) table: crate::vm::KVec<Established>,
    next_id: u64,
}

impl Lines {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self { table: crate::vm::KVec::new(cx), next_id: 0 }
    }
}

/// Runs the handlers of the lines in `raised`.
pub(crate) fn run(cx: &Cx<'_>, raised: u64) {
    if raised & TIMER_BIT != 0 {
        crate::callout::run_due(cx);
    }
    let mut left = raised & !TIMER_BIT;
    while left != 0 {
        run_bit(cx, left.trailing_zeros());
        left &= left - 1;
    }
}

/// Runs the handlers that share a bit of this CPU.
fn run_bit(cx: &Cx<'_>, bit: u32) {
    let cpu = cx.cpu().index;
    // By number, not by place in the table: a handler may take lines away, its own too.
    let mut from = 0;
    loop {
        let next = {
            let lines = cx.body().lines.lock(cx);
            let at = lines.table.partition_point(|e| e.place < (cpu, bit, from));
            let mut mine =
                lines.table.iter().skip(at).take_while(|e| (e.place.0, e.place.1) == (cpu, bit));
            let found = mine.find(|e| e.take_raised());
            found.map(|e| (e.place.2, e.handler.clone()))
        };
        let Some((id, handler)) = next else { return };
        handler.interrupt(cx);
        // Each counts as a unit of work, so that one that raises itself again ends somewhere.
        cx.spend();
        from = id + 1;
    }
}
