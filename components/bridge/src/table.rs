//! Who was heard where, and when: the table that a bridge learns.
//!
//! * [`Table::learn`]: an address was heard on a member.  * [`Table::lookup`]: where it is.
//!
//! An address that is not heard for [`Table::timeout`] is forgotten; one that is heard elsewhere has
//! moved. When the table is full, those that are old go, and no new one is learnt while none is: a
//! flood of made-up senders cannot push out who is really there.
//!
//! Locking: none; the owner guards the whole.
//! Sources: IEEE 802.1D §7.8, §7.9; NetBSD net/if_bridge.c (bridge_rtupdate).

use core::time::Duration;

use base::{Cx, Instant, KVec, NoMemory};
use net::MacAddr;

/// How many addresses are learnt, unless set otherwise.
pub(crate) const LIMIT: usize = 1024;

/// How many may be set.
pub(crate) const LIMIT_MAX: usize = 16_384;

/// How long an address is remembered, unless set otherwise (NetBSD's).
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1200);

/// What is known of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) mac: MacAddr,
    /// The index of the member's interface.
    pub(crate) member: u32,
    pub(crate) heard: Instant,
}

/// See the module's text.
pub(crate) struct Table {
    /// In the order of their addresses.
    known: KVec<Known>,
    limit: usize,
    timeout: Duration,
    /// Nothing ends before this: looking for what is old is in vain.
    next_end: Instant,
}

/// What came of hearing an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// Where it was.
    Again,
    /// For the first time, or on another member.
    New,
    /// There is no room for it.
    NoRoom,
}

impl Table {
    pub(crate) fn new(cx: &Cx<'_>) -> Table {
        Self::with(KVec::new(cx))
    }

    fn with(known: KVec<Known>) -> Table {
        Table { known, limit: LIMIT, timeout: TIMEOUT, next_end: Instant::from_nanos(0) }
    }

    fn is_old(known: &Known, timeout: Duration, now: Instant) -> bool {
        now >= known.heard + timeout
    }

    /// `mac` was heard on the member with this index.
    pub(crate) fn learn(&mut self, mac: MacAddr, member: u32, now: Instant) -> Heard {
        let at = match self.known.binary_search_by_key(&mac, |known| known.mac) {
            Ok(at) => {
                let Some(known) = self.known.get_mut(at) else { return Heard::NoRoom };
                let heard = if known.member == member { Heard::Again } else { Heard::New };
                (known.member, known.heard) = (member, now);
                return heard;
            }
            Err(at) => at,
        };
        let at = match self.known.len() < self.limit {
            true => at,
            false => {
                self.forget_old(now);
                if self.known.len() >= self.limit {
                    return Heard::NoRoom;
                }
                self.known.partition_point(|known| known.mac < mac)
            }
        };
        match self.known.insert(at, Known { mac, member, heard: now }) {
            Ok(()) => Heard::New,
            Err(NoMemory) => Heard::NoRoom,
        }
    }

    /// The member where `mac` is.
    #[inline]
    pub(crate) fn lookup(&self, mac: MacAddr, now: Instant) -> Option<u32> {
        let at = self.known.binary_search_by_key(&mac, |known| known.mac).ok()?;
        let known = self.known.get(at)?;
        (!Self::is_old(known, self.timeout, now)).then_some(known.member)
    }

    /// Those that are remembered, in the order of their addresses, and for how long.
    pub(crate) fn iter(&self, now: Instant) -> impl Iterator<Item = (Known, Duration)> {
        let timeout = self.timeout;
        let left = move |known: &Known| (known.heard + timeout).saturating_since(now);
        let fresh = move |known: &&Known| !Self::is_old(known, timeout, now);
        self.known.iter().filter(fresh).map(move |known| (*known, left(known)))
    }

    /// Forgets what is old; at most once for each time that something can be.
    fn forget_old(&mut self, now: Instant) {
        if now < self.next_end {
            return;
        }
        let timeout = self.timeout;
        self.known.retain(|known| !Self::is_old(known, timeout, now));
        let oldest = self.known.iter().map(|known| known.heard).min();
        self.next_end = oldest.unwrap_or(now) + timeout;
    }

    /// Forgets who was heard on a member.
    pub(crate) fn forget_member(&mut self, member: u32) {
        self.known.retain(|known| known.member != member);
        self.next_end = Instant::from_nanos(0);
    }

    /// Forgets everybody.
    pub(crate) fn flush(&mut self) {
        self.known.clear();
        self.next_end = Instant::from_nanos(0);
    }

    /// Sets how many addresses are learnt; more than that are forgotten, whichever they are.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.known.truncate(limit);
    }

    /// Sets how long they are remembered.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
        self.next_end = Instant::from_nanos(0);
    }

    /// How many, and for how long.
    pub(crate) fn settings(&self) -> (usize, Duration) {
        (self.limit, self.timeout)
    }
}

#[cfg(test)]
mod tests;
