//! Timers, tickless.
//!
//! * [`Callout::new`], [`Callout::schedule`], [`Callout::stop`]: one timer, like callout(9).
//!
//! A kernel has at most one deadline with its host: its earliest. An earlier one replaces it; a
//! later one does not: the host then visits for nothing once, which is cheaper than telling it
//! about every timer that is put off.
//!
//! Locking: `Rank::Callouts`, not held while a timer's handler runs.
//! Sources: NetBSD callout(9). DIFFERS: deadlines, no ticks; no thread.

use alloc::collections::BTreeMap;
use core::time::Duration;

use hypercall::Instant;
use hypercall::atomic::Ordering;
use slab::Slab;

use crate::kernel::Core;
use crate::sched::line::TIMER_BIT;
use crate::vm::{Charge, KArc, NoMemory};
use crate::{Cx, Handle};

/// What a timer runs; it may not sleep.
pub trait Handler: Send + Sync {
    /// The time has come.
    fn expired(&self, cx: &Cx<'_>);
}

/// Bytes charged for a timer: its slot, and its place among the deadlines.
const COST: usize = 128;

struct Timer {
    handler: KArc<dyn Handler>,
    due: Option<Instant>,
    _charge: Charge,
}

/// A kernel's timers.
pub(crate) struct Callouts {
    timers: Slab<Timer>,
    due: BTreeMap<(Instant, usize), ()>,
}

impl Callouts {
    pub(crate) fn new(_cx: &Cx<'_>) -> Self {
        Self { timers: Slab::new(), due: BTreeMap::new() }
    }

    fn set(&mut self, key: usize, due: Option<Instant>) {
        let Some(timer) = self.timers.get_mut(key) else { return };
        if let Some(old) = core::mem::replace(&mut timer.due, due) {
            self.due.remove(&(old, key));
        }
        if let Some(new) = due {
            self.due.insert((new, key), ());
        }
    }
}

/// A timer. [`Callout::destroy`] ends it; one that is dropped instead stays scheduled, if it is,
/// and goes with its kernel. Its methods panic with a context of another kernel.
pub struct Callout {
    key: usize,
    kernel: Handle,
}

impl Callout {
    /// A timer that runs `handler`; not scheduled yet.
    pub fn new(cx: &Cx<'_>, handler: KArc<dyn Handler>) -> Result<Callout, NoMemory> {
        let charge = cx.charge(COST)?;
        let timer = Timer { handler, due: None, _charge: charge };
        let key = cx.body().callouts.lock(cx).timers.insert(timer);
        Ok(Callout { key, kernel: cx.handle() })
    }

    /// Has the handler run in `delay` from now, and not at the time set before.
    pub fn schedule(&self, cx: &Cx<'_>, delay: Duration) {
        self.schedule_at(cx, cx.now() + delay);
    }

    /// The same, at a given time.
    pub fn schedule_at(&self, cx: &Cx<'_>, due: Instant) {
        self.check(cx);
        let mut callouts = cx.body().callouts.lock(cx);
        callouts.set(self.key, Some(due));
        arm(cx, due);
    }

    /// Has the handler run at `due` at the latest: a timer that is set to an earlier time stays. One
    /// step, so that of two who ask at once (on two virtual CPUs) the earlier one has its way.
    pub fn schedule_by(&self, cx: &Cx<'_>, due: Instant) {
        self.check(cx);
        let mut callouts = cx.body().callouts.lock(cx);
        let set = callouts.timers.get(self.key).and_then(|t| t.due);
        if set.is_none_or(|set| set > due) {
            callouts.set(self.key, Some(due));
            arm(cx, due);
        }
    }

    /// Takes the timer back; true if it was scheduled. Its handler may be running.
    pub fn stop(&self, cx: &Cx<'_>) -> bool {
        self.check(cx);
        let mut callouts = cx.body().callouts.lock(cx);
        let was = callouts.timers.get(self.key).is_some_and(|t| t.due.is_some());
        callouts.set(self.key, None);
        was
    }

    /// When the timer is due, if it is scheduled.
    pub fn due(&self, cx: &Cx<'_>) -> Option<Instant> {
        self.check(cx);
        cx.body().callouts.lock(cx).timers.get(self.key).and_then(|t| t.due)
    }

    /// Ends the timer.
    pub fn destroy(self, cx: &Cx<'_>) {
        self.check(cx);
        let mut callouts = cx.body().callouts.lock(cx);
        callouts.set(self.key, None);
        let timer = callouts.timers.try_remove(self.key);
        drop(callouts);
        // The handler's own destructor may take locks: not under ours.
        drop(timer);
    }

    /// Like a lock, a timer refuses the context of another kernel.
    fn check(&self, cx: &Cx<'_>) {
        assert!(self.kernel.is_of(cx), "a timer of another kernel");
    }

    /// The kernel whose timer this is.
    pub fn kernel(&self) -> &Handle {
        &self.kernel
    }
}

/// Sees to it that the host visits at `due` or earlier. With the lock held, so that the host hears
/// of deadlines in the order in which they were set.
fn arm(cx: &Cx<'_>, due: Instant) {
    let core = cx.core();
    let mut armed = core.armed.load(Ordering::Acquire);
    while due.nanos() < armed {
        match core.armed.compare_exchange(armed, due.nanos(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                let old = (armed != u64::MAX).then(|| Instant::from_nanos(armed));
                if let Some(guest) = core.to_guest() {
                    core.host.rearm(&guest, old, Some(due));
                }
                return;
            }
            Err(now) => armed = now,
        }
    }
}

/// A deadline has passed. It may be one that an earlier one has replaced meanwhile: then the host
/// still has that.
pub(crate) fn deadline_passed(core: &Core) {
    let armed = core.armed.load(Ordering::Acquire);
    if armed <= core.host.now().nanos() {
        let none = u64::MAX;
        let _ = core.armed.compare_exchange(armed, none, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Runs the timers that are due, and has the host come again for the next one.
pub(crate) fn run_due(cx: &Cx<'_>) {
    let now = cx.now();
    loop {
        let mut callouts = cx.body().callouts.lock(cx);
        let Some((&(due, key), ())) = callouts.due.first_key_value() else { return };
        if due > now {
            return arm(cx, due);
        }
        callouts.set(key, None);
        let handler = callouts.timers.get(key).map(|t| t.handler.clone());
        drop(callouts);
        if let Some(handler) = handler {
            handler.expired(cx);
        }
        if !cx.spend() {
            // The rest after others have had their turn.
            cx.cpu().raise(TIMER_BIT);
            return;
        }
    }
}
