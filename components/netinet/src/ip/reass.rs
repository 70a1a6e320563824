//! Reassembly: fragments in, datagrams out.
//!
//! A datagram's fragments are kept sorted by place. They never overlap: whatever overlaps, or
//! contradicts what is known about the length, condemns the whole datagram (RFC 5722 §3 for
//! IPv6, RFC 6274 §3.1.2.1.2 for the attacks on IPv4). A condemned one holds no data, and stays until its time is up to
//! swallow the fragments that are still on their way.
//! * [`Reassembly::input`] takes a fragment, and may give back a whole datagram;
//! * [`Reassembly::expire`] gives back what has waited too long, one at a time;
//!   [`Reassembly::next_deadline`] says when to call it;
//! * [`Reassembly::input_cost`] says what the next `input` may allocate, so that the caller can
//!   charge it first; [`Reassembly::footprint`] says what is held now;
//! * [`Reassembly::counts`] are for statistics.
//!
//! `P` is a fragment with its header and whatever else is needed later; here it is only moved.
//! Times are in nanoseconds of any clock that does not go back.
//!
//! Locking: none; the owner guards the whole. Pieces that are evicted are dropped inside.
//! Sources: RFC 791 §3.2; RFC 815 (the idea, not the algorithm: ours needs no holes inside the
//! data); RFC 1122 §3.3.2; RFC 1858 and RFC 3128 (tiny fragments); RFC 5722; RFC 6274 §3.1.2.

use alloc::vec::Vec;
use core::mem::size_of;
use core::net::Ipv4Addr;

/// Largest datagram with header.
const MAX_DATAGRAM: usize = 65535;
/// A first fragment of TCP shorter than this hides the flags from filters (RFC 1858 §3.2.1).
const TCP_MIN_FIRST: usize = 16;
const PROTOCOL_TCP: u8 = 6;

/// What belongs together (RFC 791 p. 28).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// Sender.
    pub src: Ipv4Addr,
    /// Receiver.
    pub dst: Ipv4Addr,
    /// Identification.
    pub id: u16,
    /// Protocol.
    pub protocol: u8,
}

/// A received fragment, by its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// The datagram.
    pub key: Key,
    /// Where its payload belongs, in bytes; a multiple of eight.
    pub offset: usize,
    /// Length of its payload.
    pub len: usize,
    /// Length of its header.
    pub header_len: usize,
    /// Whether more follows.
    pub more: bool,
    /// Bytes of memory that it holds, counted against [`Limits::bytes`].
    pub cost: usize,
}

/// How much may be held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Datagrams; at most a few hundred, since they are searched one by one. 0 refuses all.
    pub datagrams: usize,
    /// Fragments of a datagram.
    pub fragments: usize,
    /// The sum of [`Fragment::cost`].
    pub bytes: usize,
    /// How long to wait for the rest, from the first that arrives: a fixed time, not the TTL
    /// (RFC 1122 §3.3.2). DIFFERS: 30 seconds, as NetBSD and Linux have it, not the 60 to 120
    /// recommended there: what is held for a minute is mostly an attacker's.
    pub timeout_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { datagrams: 64, fragments: 128, bytes: 512 * 1024, timeout_ns: 30_000_000_000 }
    }
}

/// What became of a fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<P> {
    /// It waits for the others.
    Held,
    /// It completes this datagram.
    Complete(Datagram<P>),
    /// It is given back, and not wanted.
    Refused(P, Refusal),
}

/// A whole datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram<P> {
    /// The fragments in order. The first has the header that counts (RFC 791 p. 28).
    pub pieces: Vec<P>,
    /// Length of the payload of all.
    pub payload_len: usize,
    /// The memory that was counted for the pieces.
    pub cost: usize,
}

/// Why a fragment was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is there already.
    Duplicate,
    /// No sender makes it: empty, not a multiple of eight although more follows, or past the
    /// largest datagram.
    Malformed,
    /// So small that it hides the transport header (RFC 1858, RFC 3128).
    Tiny,
    /// It overlaps another, or contradicts the length: the datagram is condemned.
    Conflict,
    /// The datagram was condemned before.
    Condemned,
    /// The datagram has too many fragments, and is condemned; or the limits allow nothing.
    Limit,
}

/// A datagram that has waited too long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expired<P> {
    /// Which.
    pub key: Key,
    /// The fragment at offset zero if it came: ICMP time exceeded, code 1, is about that
    /// (RFC 792 p. 6: without it, nothing is sent).
    pub first: Option<P>,
}

/// Statistics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Datagrams completed.
    pub completed: u64,
    /// Datagrams given up to make room.
    pub evicted: u64,
    /// Datagrams that waited too long.
    pub timed_out: u64,
    /// Datagrams condemned for a conflict or for too many fragments.
    pub condemned: u64,
    /// Fragments that came twice.
    pub duplicates: u64,
}

#[derive(Clone, Debug)]
struct Held<P> {
    start: usize,
    end: usize,
    piece: P,
}

#[derive(Clone, Debug)]
struct Partial<P> {
    key: Key,
    deadline_ns: u64,
    /// Length of the whole payload, once the last fragment is here.
    total: Option<usize>,
    /// Length of the header of the first fragment, once it is here.
    header_len: usize,
    /// Bytes of payload held.
    filled: usize,
    cost: usize,
    condemned: bool,
    /// INVARIANT: sorted, apart from each other; empty when condemned.
    held: Vec<Held<P>>,
}

impl<P> Partial<P> {
    fn is_complete(&self) -> bool {
        self.total == Some(self.filled)
    }

    /// Where the fragment goes in the order, if it fits in with what is known.
    fn place(&self, new: &Fragment) -> Result<usize, Refusal> {
        let end = new.offset + new.len;
        let at = self.held.partition_point(|held| held.start < new.offset);
        let (before, after) = self.held.split_at(at);
        let known_end = self.held.last().map_or(0, |held| held.end);
        if let Some(same) = after.first().filter(|h| (h.start, h.end) == (new.offset, end)) {
            // RFC 8200 §4.5 allows to pass over an exact copy; networks do duplicate packets.
            let was_last = self.total == Some(same.end);
            return Err(if was_last == new.more { Refusal::Conflict } else { Refusal::Duplicate });
        }
        let overlaps = before.last().is_some_and(|held| held.end > new.offset)
            || after.first().is_some_and(|held| held.start < end);
        let beyond = match (self.total, new.more) {
            (Some(total), true) => end >= total,
            (Some(_), false) => true, // A second end, elsewhere.
            (None, true) => false,
            (None, false) => end < known_end,
        };
        let header_len = if new.offset == 0 { new.header_len } else { self.header_len };
        let too_long = header_len + end.max(known_end) > MAX_DATAGRAM;
        if overlaps || beyond || too_long { Err(Refusal::Conflict) } else { Ok(at) }
    }
}

/// The datagrams that wait for fragments.
#[derive(Debug)]
pub struct Reassembly<P> {
    /// INVARIANT: in order of arrival, so that the first has the earliest deadline.
    partials: Vec<Partial<P>>,
    limits: Limits,
    /// Sum of the costs of all fragments held.
    bytes: usize,
    counts: Counts,
}

impl<P> Reassembly<P> {
    /// Holds nothing, allocates nothing.
    pub const fn new(limits: Limits) -> Self {
        let counts = Counts { completed: 0, evicted: 0, timed_out: 0, condemned: 0, duplicates: 0 };
        Self { partials: Vec::new(), limits, bytes: 0, counts }
    }

    /// Changes the limits; what is held above them goes with the next fragment.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Datagrams held.
    pub fn len(&self) -> usize {
        self.partials.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.partials.is_empty()
    }

    /// The sum of the costs of all fragments held.
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Statistics.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that the tables hold, without the pieces themselves. Not kept up to date but added
    /// up, datagram by datagram.
    pub fn footprint(&self) -> usize {
        let held: usize = self.partials.iter().map(|p| p.held.capacity()).sum();
        self.partials.capacity() * size_of::<Partial<P>>() + held * size_of::<Held<P>>()
    }

    /// The most by which [`Reassembly::footprint`] can grow in the next [`Reassembly::input`] of
    /// a fragment of this datagram; the pieces of a completed one are moved into a new list,
    /// which is counted too.
    pub fn input_cost(&self, key: &Key) -> usize {
        let outgoing = size_of::<P>();
        match self.partials.iter().find(|p| p.key == *key) {
            Some(partial) => {
                growth(&partial.held) * size_of::<Held<P>>() + (partial.held.len() + 1) * outgoing
            }
            None => {
                growth(&self.partials) * size_of::<Partial<P>>()
                    + FIRST * size_of::<Held<P>>()
                    + outgoing
            }
        }
    }

    /// When to call [`Reassembly::expire`].
    pub fn next_deadline(&self) -> Option<u64> {
        self.partials.first().map(|partial| partial.deadline_ns)
    }

    /// Takes out one datagram whose time is up; call it until there is none.
    pub fn expire(&mut self, now_ns: u64) -> Option<Expired<P>> {
        self.partials.first().filter(|partial| partial.deadline_ns <= now_ns)?;
        let mut partial = self.take(0);
        if !partial.condemned {
            self.counts.timed_out += 1;
        }
        let has_first = partial.held.first().is_some_and(|held| held.start == 0);
        let first = has_first.then(|| partial.held.swap_remove(0).piece);
        Some(Expired { key: partial.key, first })
    }

    /// Takes a fragment.
    pub fn input(&mut self, new: Fragment, piece: P, now_ns: u64) -> Outcome<P> {
        if let Err(refusal) = admissible(&new) {
            return Outcome::Refused(piece, refusal);
        }
        let limit = self.limits;
        if limit.datagrams == 0 || limit.fragments == 0 || new.cost > limit.bytes {
            return Outcome::Refused(piece, Refusal::Limit);
        }
        let found = self.partials.iter().position(|partial| partial.key == new.key);
        let known = found.and_then(|at| self.partials.get(at));
        let verdict = match known {
            Some(partial) if partial.condemned => {
                return Outcome::Refused(piece, Refusal::Condemned);
            }
            Some(partial) => match partial.place(&new) {
                Ok(_) if partial.held.len() >= limit.fragments => Err(Refusal::Limit),
                Ok(_) if partial.cost + new.cost > limit.bytes => Err(Refusal::Limit),
                other => other,
            },
            None => Ok(0),
        };
        let place = match (verdict, found) {
            (Ok(place), _) => place,
            (Err(Refusal::Duplicate), _) => {
                self.counts.duplicates += 1;
                return Outcome::Refused(piece, Refusal::Duplicate);
            }
            (Err(refusal), found) => {
                if let Some(at) = found {
                    self.condemn(at);
                }
                return Outcome::Refused(piece, refusal);
            }
        };
        let at = self.make_room(found, new.cost);
        let at = at.unwrap_or_else(|| self.begin(new.key, now_ns));
        let Some(partial) = self.partials.get_mut(at) else {
            return Outcome::Refused(piece, Refusal::Limit);
        };
        let end = new.offset + new.len;
        reserve(&mut partial.held);
        partial.held.insert(place, Held { start: new.offset, end, piece });
        partial.filled += new.len;
        partial.cost += new.cost;
        self.bytes += new.cost;
        if new.offset == 0 {
            partial.header_len = new.header_len;
        }
        if !new.more {
            partial.total = Some(end);
        }
        if !partial.is_complete() {
            return Outcome::Held;
        }
        self.counts.completed += 1;
        let done = self.take(at);
        let (payload_len, cost) = (done.filled, done.cost);
        let pieces = done.held.into_iter().map(|held| held.piece).collect();
        Outcome::Complete(Datagram { pieces, payload_len, cost })
    }

    /// Evicts the oldest datagrams, except `keep`, until there is room for a fragment of this
    /// cost, and for a datagram if `keep` is none. Gives the new index of `keep`.
    fn make_room(&mut self, mut keep: Option<usize>, cost: usize) -> Option<usize> {
        let new = usize::from(keep.is_none());
        while self.partials.len() + new > self.limits.datagrams
            || self.bytes + cost > self.limits.bytes
        {
            let victim = usize::from(keep == Some(0));
            if victim >= self.partials.len() {
                break;
            }
            self.take(victim);
            self.counts.evicted += 1;
            keep = keep.map(|at| if at > victim { at - 1 } else { at });
        }
        keep
    }

    fn begin(&mut self, key: Key, now_ns: u64) -> usize {
        reserve(&mut self.partials);
        // The order by deadline holds even if the limit was lowered in between.
        let last = self.partials.last().map_or(0, |partial| partial.deadline_ns);
        self.partials.push(Partial {
            key,
            deadline_ns: now_ns.saturating_add(self.limits.timeout_ns).max(last),
            total: None,
            header_len: 0,
            filled: 0,
            cost: 0,
            condemned: false,
            held: Vec::new(),
        });
        self.partials.len() - 1
    }

    /// RFC 5722 §3: also what is still to come is dropped silently.
    fn condemn(&mut self, at: usize) {
        let Some(partial) = self.partials.get_mut(at) else { return };
        self.counts.condemned += 1;
        self.bytes -= partial.cost;
        partial.condemned = true;
        partial.cost = 0;
        partial.held = Vec::new();
    }

    /// INVARIANT: `at` is in bounds.
    fn take(&mut self, at: usize) -> Partial<P> {
        let partial = self.partials.remove(at);
        self.bytes -= partial.cost;
        if self.partials.is_empty() {
            self.partials = Vec::new();
        }
        partial
    }
}

/// What no datagram can have, whatever else arrived.
fn admissible(new: &Fragment) -> Result<(), Refusal> {
    let end = new.offset.saturating_add(new.len).saturating_add(new.header_len);
    if new.len == 0
        || end > MAX_DATAGRAM
        || !new.offset.is_multiple_of(8)
        || (new.more && !new.len.is_multiple_of(8))
    {
        return Err(Refusal::Malformed);
    }
    // RFC 1858 §3.2.1 (the first is too short) and RFC 3128 §4 (the second begins too early).
    let short = new.offset == 0 && new.more && new.len < TCP_MIN_FIRST;
    if new.key.protocol == PROTOCOL_TCP && (short || new.offset == 8) {
        return Err(Refusal::Tiny);
    }
    Ok(())
}

/// Entries of a list's first allocation.
const FIRST: usize = 4;

/// By how many entries the next push makes the list grow: none, or by half.
fn growth<T>(list: &Vec<T>) -> usize {
    if list.len() < list.capacity() { 0 } else { (list.capacity() / 2).max(FIRST) }
}

fn reserve<T>(list: &mut Vec<T>) {
    let by = growth(list);
    list.reserve_exact(by);
}

#[cfg(test)]
mod tests;
