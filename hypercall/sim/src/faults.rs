//! The plan of faults: which charges are refused, and what happens to packets.
//!
//! * [`Faults::refuse_nth_charge`], [`Faults::refuse_from`], [`Faults::refuse`]: memory. A test of
//!   every failure refuses the n-th for n = 1, 2, … until [`Faults::refused`] stays where it was.
//! * [`Faults::lose`], [`Faults::double`], [`Faults::delay`], [`Faults::reorder`]: packets.
//! * [`Faults::wake_early`], [`Faults::refuse_threads`]: waits that end for no reason; no threads.
//! * [`Faults::clear`]: no faults from now on.
//!
//! Probabilities are in parts per million. A fresh plan spoils nothing.
//!
//! Locking: one lock around the plan, nesting in nothing.
//! Sources: `hypercall::Faults`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use hypercall::PacketFate;
use rand_chacha::ChaCha8Rng;

use crate::trace::{EMPTY, mix};
use crate::{Stream, below, lock, nanos, stream};

const MILLION: u64 = 1_000_000;

/// What became of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketCounts {
    /// All that crossed, or tried to.
    pub packets: u64,
    /// Lost.
    pub lost: u64,
    /// Doubled.
    pub doubled: u64,
    /// Delayed, or put out of order.
    pub delayed: u64,
}

struct Plan {
    rng: ChaCha8Rng,
    hash: u64,
    charges: u64,
    refused: u64,
    /// Charges to refuse, by their number from the start.
    refuse_these: BTreeSet<u64>,
    refuse_from: Option<u64>,
    refuse: u32,
    lose: u32,
    double: u32,
    delay: (u32, Range<Duration>),
    reorder: (u32, Duration),
    wake_early: u32,
    refuse_threads: bool,
    counts: PacketCounts,
}

/// See the module's text.
pub struct Faults {
    plan: Mutex<Plan>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            plan: Mutex::new(Plan {
                rng: stream(seed, Stream::Faults),
                hash: EMPTY,
                charges: 0,
                refused: 0,
                refuse_these: BTreeSet::new(),
                refuse_from: None,
                refuse: 0,
                lose: 0,
                double: 0,
                delay: (0, Duration::ZERO..Duration::ZERO),
                reorder: (0, Duration::ZERO),
                wake_early: 0,
                refuse_threads: false,
                counts: PacketCounts::default(),
            }),
        }
    }

    /// How many charges were asked for so far.
    pub fn charges(&self) -> u64 {
        lock(&self.plan).charges
    }

    /// How many of them were refused.
    pub fn refused(&self) -> u64 {
        lock(&self.plan).refused
    }

    /// What became of packets so far.
    pub fn packets(&self) -> PacketCounts {
        lock(&self.plan).counts
    }

    /// Refuses the `n`-th charge from now (the next one is 1), once. Several may be planned.
    pub fn refuse_nth_charge(&self, n: u64) {
        let mut plan = lock(&self.plan);
        let at = plan.charges.saturating_add(n);
        plan.refuse_these.insert(at);
    }

    /// Refuses the `n`-th charge from now (the next one is 1) and all later ones.
    pub fn refuse_from(&self, n: u64) {
        let mut plan = lock(&self.plan);
        plan.refuse_from = Some(plan.charges.saturating_add(n));
    }

    /// Refuses charges with this probability.
    pub fn refuse(&self, per_million: u32) {
        lock(&self.plan).refuse = per_million;
    }

    /// Loses packets with this probability.
    pub fn lose(&self, per_million: u32) {
        lock(&self.plan).lose = per_million;
    }

    /// Doubles packets with this probability; the second comes up to a millisecond later.
    pub fn double(&self, per_million: u32) {
        lock(&self.plan).double = per_million;
    }

    /// Delays packets with this probability by a time out of `range`.
    pub fn delay(&self, per_million: u32, range: Range<Duration>) {
        lock(&self.plan).delay = (per_million, range);
    }

    /// With this probability, delays a packet by up to `window`, so that later ones overtake it.
    pub fn reorder(&self, per_million: u32, window: Duration) {
        lock(&self.plan).reorder = (per_million, window);
    }

    /// Lets waits end early for no reason, with this probability.
    pub fn wake_early(&self, per_million: u32) {
        lock(&self.plan).wake_early = per_million;
    }

    /// Refuses kernels every new thread, or no longer.
    pub fn refuse_threads(&self, refuse: bool) {
        lock(&self.plan).refuse_threads = refuse;
    }

    /// No faults from now on; counts stay.
    pub fn clear(&self) {
        let mut plan = lock(&self.plan);
        plan.refuse_these.clear();
        plan.refuse_from = None;
        (plan.refuse, plan.lose, plan.double, plan.delay.0, plan.reorder.0) = (0, 0, 0, 0, 0);
        (plan.wake_early, plan.refuse_threads) = (0, false);
    }

    pub(crate) fn wakes_early(&self) -> bool {
        let mut plan = lock(&self.plan);
        let odds = plan.wake_early;
        plan.happens(odds)
    }

    pub(crate) fn refuses_threads(&self) -> bool {
        lock(&self.plan).refuse_threads
    }

    pub(crate) fn hash(&self) -> u64 {
        let plan = lock(&self.plan);
        mix(plan.hash, plan.charges)
    }
}

impl Plan {
    fn happens(&mut self, per_million: u32) -> bool {
        per_million != 0 && below(&mut self.rng, MILLION) < u64::from(per_million)
    }

    fn within(&mut self, range: &Range<Duration>) -> Duration {
        let (from, to) = (nanos(range.start), nanos(range.end));
        Duration::from_nanos(from.saturating_add(below(&mut self.rng, to.saturating_sub(from))))
    }

    fn fate(&mut self) -> PacketFate {
        if self.happens(self.lose) {
            self.counts.lost += 1;
            return PacketFate::Lose;
        }
        if self.happens(self.double) {
            self.counts.doubled += 1;
            return PacketFate::Double(self.within(&(Duration::ZERO..Duration::from_millis(1))));
        }
        let (delay, reorder) = (self.delay.clone(), self.reorder);
        let range = if self.happens(delay.0) {
            delay.1
        } else if self.happens(reorder.0) {
            Duration::ZERO..reorder.1
        } else {
            return PacketFate::Deliver;
        };
        self.counts.delayed += 1;
        PacketFate::Delay(self.within(&range))
    }
}

impl hypercall::Faults for Faults {
    fn grant(&self, _bytes: usize) -> bool {
        let mut plan = lock(&self.plan);
        plan.charges += 1;
        let number = plan.charges;
        let odds = plan.refuse;
        let refused = plan.refuse_these.remove(&number)
            || plan.refuse_from.is_some_and(|from| number >= from)
            || plan.happens(odds);
        if refused {
            plan.refused += 1;
            plan.hash = mix(plan.hash, number);
        }
        !refused
    }

    fn packet(&self) -> PacketFate {
        let mut plan = lock(&self.plan);
        plan.counts.packets += 1;
        let fate = plan.fate();
        let (kind, time) = match fate {
            PacketFate::Deliver => (1, Duration::ZERO),
            PacketFate::Lose => (2, Duration::ZERO),
            PacketFate::Delay(time) => (3, time),
            PacketFate::Double(time) => (4, time),
        };
        plan.hash = mix(mix(plan.hash, kind), nanos(time));
        fate
    }
}
