//! The link itself: packets go in, and come out when it is their time. Pure: the time is an
//! argument, and the random numbers follow from a seed.
//!
//! A packet is lost or not; then it, and its double if it has one, waits until the wire is free,
//! takes `8 * length / rate` to get onto it, and is `delay ± jitter` on its way:
//!
//! * *free*: when the wire's near end is free again; a packet begins then, or now, whichever is later.
//! * It comes out that much later than it is on the wire, but no sooner after the one before it than
//!   its own time on the wire: so the order is kept, and the rate is not exceeded at either end.
//! * One that `reorder` picks comes out as soon as it is on the wire, before those on their way.
//!
//! * [`Link::offer`] puts a packet in, [`Link::release`] takes one out, [`Link::deadline`] says when
//!   there will be one.  * [`Spoil`]: how a packet is doubled and corrupted.
//!
//! Locking: none. Sources: Linux net/sched/sch_netem.c (what is drawn, and in which order).
//! DIFFERS: netem counts a delay from the end of the delay of the packet before where there is a
//! rate, and doubles go through all of it again.

use alloc::sync::Arc;

use base::{Account, KDeque};

use super::character::{Character, Distribution, Probability};
use super::random::Random;

const BILLION: u64 = 1_000_000_000;

/// How packets are doubled and corrupted, which a link knows nothing about.
pub trait Spoil<T> {
    /// A second one; `None`: no memory.
    fn double(&self, packet: &T) -> Option<T>;

    /// The packet with its bit number `bit` turned over; `None`: no memory, and it is dropped.
    fn corrupt(&self, packet: T, bit: usize) -> Option<T>;
}

/// What a link did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Packets that were lost, as the link's character says.
    pub lost: u64,
    /// Packets that found it full, or no memory.
    pub full: u64,
    /// Packets that were doubled.
    pub duplicated: u64,
    /// Packets with a bit turned over.
    pub corrupted: u64,
    /// Packets that were not delayed.
    pub reordered: u64,
}

/// The packet found the link full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

struct Waiting<T> {
    leaves_ns: u64,
    len: usize,
    packet: T,
}

/// A link with character.
pub struct Link<T> {
    character: Character,
    random: Random,
    counts: Counts,
    /// Whether the packet before was lost in a burst.
    in_burst: bool,
    /// When the wire's near end is free.
    free_ns: u64,
    /// When the last packet that keeps the order comes out.
    last_ns: u64,
    /// In the order in which they come out.
    queue: KDeque<Waiting<T>>,
    bytes: u64,
}

impl<T> Link<T> {
    /// A link whose random numbers are those of `seed`.
    pub fn new(account: &Arc<Account>, character: Character, seed: u64) -> Self {
        Self {
            character,
            random: Random::new(seed),
            counts: Counts::default(),
            in_burst: false,
            free_ns: 0,
            last_ns: 0,
            queue: KDeque::in_account(account),
            bytes: 0,
        }
    }

    /// What it does.
    pub fn character(&self) -> &Character {
        &self.character
    }

    /// What it did.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Packets in it.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Changes what it does. What is in it comes out when it would have, or when it would if it were
    /// put in now, whichever is sooner: nobody waits for the end of a delay that is no more.
    pub fn change(&mut self, now_ns: u64, character: Character) {
        self.character = character;
        (self.free_ns, self.last_ns) = (now_ns, now_ns);
        let Self { character, free_ns, last_ns, queue, .. } = self;
        for waiting in queue.iter_mut() {
            let on_wire = on_wire_ns(character, waiting.len);
            *free_ns = free_ns.saturating_add(on_wire);
            let new = free_ns.saturating_add(nanos(character.delay));
            waiting.leaves_ns = waiting.leaves_ns.min(new);
            *last_ns = waiting.leaves_ns.max(*last_ns);
        }
    }

    /// Puts a packet in: `len` bytes, of which the first `header_len` are never corrupted.
    pub fn offer(
        &mut self,
        now_ns: u64,
        len: usize,
        header_len: usize,
        packet: T,
        spoil: &impl Spoil<T>,
    ) -> Result<(), Full> {
        if self.is_lost() {
            self.counts.lost += 1;
            return Ok(());
        }
        let double = if self.happens(self.character.duplicate) {
            spoil.double(&packet).inspect(|_| self.counts.duplicated += 1)
        } else {
            None
        };
        let first = self.put(now_ns, len, header_len, packet, spoil);
        if let Some(double) = double {
            // That it found no room is counted; to the sender it is the first one that matters.
            let _ = self.put(now_ns, len, header_len, double, spoil);
        }
        first
    }

    /// Takes a packet out that is due.
    pub fn release(&mut self, now_ns: u64) -> Option<T> {
        if self.deadline()? > now_ns {
            return None;
        }
        let Waiting { len, packet, .. } = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(len as u64);
        self.queue.shrink_if_empty();
        Some(packet)
    }

    /// When the next packet comes out.
    pub fn deadline(&self) -> Option<u64> {
        self.queue.front().map(|waiting| waiting.leaves_ns)
    }

    fn happens(&mut self, probability: Probability) -> bool {
        // Nothing is drawn where nothing is to happen: a link that is only slow costs no numbers.
        let n = u64::from(probability.get());
        n != 0 && self.random.below(BILLION) < n
    }

    fn is_lost(&mut self) -> bool {
        let Character { loss, burst, .. } = self.character;
        if burst == 0 || loss == Probability::NEVER || loss == Probability::ALWAYS {
            return self.happens(loss);
        }
        // Two states: a burst begins, and ends after `burst` packets in the mean.
        self.in_burst = if self.in_burst {
            self.random.below(u64::from(burst)) != 0
        } else {
            self.random.below(BILLION) < u64::from(self.character.burst_begins())
        };
        self.in_burst
    }

    fn put(
        &mut self,
        now_ns: u64,
        len: usize,
        header_len: usize,
        mut packet: T,
        spoil: &impl Spoil<T>,
    ) -> Result<(), Full> {
        let is_full = self.queue.len() >= self.character.packets()
            || self.bytes.saturating_add(len as u64) > self.character.bytes();
        if is_full {
            self.counts.full += 1;
            return Err(Full);
        }
        if len > header_len && self.happens(self.character.corrupt) {
            let bits = 8 * (len - header_len) as u64;
            let bit = 8 * header_len + self.random.below(bits) as usize;
            packet =
                spoil.corrupt(packet, bit).ok_or(Full).inspect_err(|_| self.counts.full += 1)?;
            self.counts.corrupted += 1;
        }
        let leaves_ns = self.time_of(now_ns, len);
        let at = self.place_for(leaves_ns);
        let waiting = Waiting { leaves_ns, len, packet };
        if self.queue.insert(at, waiting).is_err() {
            self.counts.full += 1;
            return Err(Full);
        }
        self.bytes = self.bytes.saturating_add(len as u64);
        Ok(())
    }

    /// When a packet that is put in now comes out.
    fn time_of(&mut self, now_ns: u64, len: usize) -> u64 {
        let on_wire = on_wire_ns(&self.character, len);
        self.free_ns = self.free_ns.max(now_ns).saturating_add(on_wire);
        if self.happens(self.character.reorder) {
            self.counts.reordered += 1;
            return self.free_ns;
        }
        let delay = self.delay_ns();
        let after_last = self.last_ns.saturating_add(on_wire);
        self.last_ns = self.free_ns.saturating_add(delay).max(after_last);
        self.last_ns
    }

    fn delay_ns(&mut self) -> u64 {
        let (delay, jitter) = (nanos(self.character.delay), nanos(self.character.jitter));
        if jitter == 0 {
            return delay;
        }
        match self.character.distribution {
            Distribution::Uniform => {
                (delay + self.random.below(2 * jitter + 1)).saturating_sub(jitter)
            }
            Distribution::Normal => delay.saturating_add_signed(self.random.normal(jitter)),
        }
    }

    /// Behind all that come out no later. Most packets keep the order, and are last.
    fn place_for(&self, leaves_ns: u64) -> usize {
        if self.queue.back().is_none_or(|last| last.leaves_ns <= leaves_ns) {
            return self.queue.len();
        }
        self.queue.partition_point(|waiting| waiting.leaves_ns <= leaves_ns)
    }
}

/// How long a packet takes to get onto the wire, rounded up.
fn on_wire_ns(character: &Character, len: usize) -> u64 {
    let bits_ns = (len as u64).saturating_mul(8 * BILLION);
    if character.rate == 0 { 0 } else { bits_ns.div_ceil(character.rate) }
}

fn nanos(time: core::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
