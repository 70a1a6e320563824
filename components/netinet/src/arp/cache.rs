//! The address resolution cache: which link address an IPv4 address has.
//!
//! An address is *incomplete* while it is asked for, *reachable* once known, *static* if set by
//! hand, and *down* for a while after it did not answer.
//! * [`ArpCache::lookup`] is the hot path: an address that is known and fresh;
//! * [`ArpCache::resolve`] is for all others: it takes the packet, and says what to do;
//! * [`ArpCache::input`] takes a received packet, and gives the reply to send and the packets that
//!   waited;
//! * [`ArpCache::expire`] does what is due, one action at a time; [`ArpCache::next_deadline`]
//!   says when to call it;
//! * [`ArpCache::resolve_cost`] and [`ArpCache::input_cost`] say what the next call may allocate.
//!
//! An answer lives for [`Config::lifetime_ns`]. Every packet of its owner renews it. If it is
//! used shortly before its end, its owner is asked directly, once
//! ([`Resolve::SendAndProbe`]); if nobody uses it, it goes without a word.
//!
//! `P` is a packet that waits. Times are in nanoseconds of any clock that does not go back; a
//! coarse one is good enough.
//!
//! Locking: none; the owner guards the whole.
//! Sources: RFC 826; RFC 1122 §2.3.2.1 (flush, rate limit), §2.3.2.2 (packet queue); RFC 5227
//! §2.4 (conflicts); NetBSD `sys/netinet/if_arp.c` (the states' names and times).

pub use super::config::Config;
use super::entry::{Entry, State};
pub use super::local::Local;
use super::local::is_unicast;
use super::table::Table;
use crate::wire::arp::ArpPacket;
use alloc::vec::Vec;
use core::mem::size_of;
use core::net::Ipv4Addr;
use net::ethernet::wire::MacAddr;

/// What to do with a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolve<P> {
    /// Send it there.
    Send(MacAddr, P),
    /// Send it there, and a request to the same link address: the answer is about to end.
    SendAndProbe(MacAddr, P),
    /// It waits; broadcast a request.
    Query,
    /// It waits for an answer to an earlier request.
    Held,
    /// This packet goes no further; which, says the reason.
    Dropped(P, Why),
}

/// Why a packet is given back by [`ArpCache::resolve`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It is the oldest of those that wait; the new one took its place.
    Displaced,
    /// The address did not answer lately: unreachable.
    Down,
    /// The cache is full of what must not be evicted.
    Full,
    /// The address is not that of one host.
    NotUnicast,
}

/// What became of a received packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input<P> {
    /// To be sent to its `target_mac`.
    pub reply: Option<ArpPacket>,
    /// Packets that waited for the sender, and its link address.
    pub release: Option<(MacAddr, Vec<P>)>,
    /// Somebody else has our address.
    pub conflict: Option<Conflict>,
    /// What the cache made of the sender.
    pub learnt: Learnt,
}

impl<P> Input<P> {
    const NOTHING: Self =
        Self { reply: None, release: None, conflict: None, learnt: Learnt::Nothing };
}

/// Somebody else uses an address of ours (RFC 5227 §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// Our address.
    pub ip: Ipv4Addr,
    /// Theirs.
    pub mac: MacAddr,
    /// Announce the address now; false if that was done a short time ago.
    pub defend: bool,
}

/// What the cache made of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learnt {
    /// Nothing: it did not concern us.
    Nothing,
    /// It is new.
    New,
    /// It was known, or asked for.
    Refreshed,
    /// It was known by this other link address.
    Moved(MacAddr),
    /// It claims a static address, from another link address.
    Static,
    /// There was no room.
    Full,
}

/// What is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action<P> {
    /// Broadcast another request.
    Query(Ipv4Addr),
    /// The address did not answer: these packets cannot be delivered (ICMP host unreachable).
    Unreachable(Ipv4Addr, Vec<P>),
}

/// One address, for listings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// The address.
    pub ip: Ipv4Addr,
    /// Its link address; zero if not known.
    pub mac: MacAddr,
    /// How far resolution has come.
    pub state: State,
    /// When that changes by itself; `u64::MAX`: never.
    pub deadline_ns: u64,
}

impl Known {
    fn of<P>(ip: Ipv4Addr, entry: &Entry<P>) -> Known {
        let known = matches!(entry.state, State::Reachable | State::Static);
        let mac = if known { entry.mac } else { MacAddr::ZERO };
        Known { ip, mac, state: entry.state, deadline_ns: entry.deadline_ns }
    }
}

/// The cache of one interface.
#[derive(Debug)]
pub struct ArpCache<P> {
    table: Table<Entry<P>>,
    config: Config,
    /// The earliest deadline, or (`stale`) something earlier.
    next_ns: u64,
    stale: bool,
    /// Where [`ArpCache::expire`] goes on.
    cursor: usize,
    /// No defence of an address before this.
    defend_after_ns: u64,
}

impl<P> ArpCache<P> {
    /// An empty cache; allocates nothing. `seed` is random.
    pub const fn new(config: Config, seed: u64) -> Self {
        Self {
            table: Table::new(seed),
            config,
            next_ns: u64::MAX,
            stale: false,
            cursor: 0,
            defend_after_ns: 0,
        }
    }

    /// Changes limits and times, for what happens from now on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// The link address of `ip`, if nothing but sending is to be done.
    #[inline]
    pub fn lookup(&mut self, ip: Ipv4Addr, now_ns: u64) -> Option<MacAddr> {
        let row = self.table.find(ip)?;
        let entry = self.table.get_mut(row)?;
        if now_ns >= entry.fresh_until_ns {
            return None;
        }
        // Not written again: the address is read from beside it, and would wait for the store.
        if !entry.used {
            entry.used = true;
        }
        Some(entry.mac)
    }

    /// Takes a packet for `ip`.
    #[inline]
    pub fn resolve(&mut self, ip: Ipv4Addr, now_ns: u64, packet: P) -> Resolve<P> {
        match self.lookup(ip, now_ns) {
            Some(mac) => Resolve::Send(mac, packet),
            None => self.resolve_slowly(ip, now_ns, packet),
        }
    }

    #[cold]
    fn resolve_slowly(&mut self, ip: Ipv4Addr, now_ns: u64, packet: P) -> Resolve<P> {
        if !is_unicast(ip) {
            return Resolve::Dropped(packet, Why::NotUnicast);
        }
        let row = match self.table.find(ip) {
            Some(row) => row,
            None if self.make_room(true) => self.table.insert(ip, Entry::new()),
            None => return Resolve::Dropped(packet, Why::Full),
        };
        let (limit, retry_ns) = (self.config.held.max(1), self.config.retry_ns);
        let Some(entry) = self.table.get_mut(row) else {
            return Resolve::Dropped(packet, Why::Full);
        };
        let ended = now_ns >= entry.deadline_ns;
        match entry.state {
            State::Static => return Resolve::Send(entry.mac, packet),
            State::Reachable if !ended => {
                // Once: from here to its end the hot path takes it again.
                entry.fresh_until_ns = entry.deadline_ns;
                entry.used = true;
                return Resolve::SendAndProbe(entry.mac, packet);
            }
            State::Down if !ended => return Resolve::Dropped(packet, Why::Down),
            State::Incomplete if entry.tries > 0 => {
                // RFC 1122 §2.3.2.2: the latest packet is kept.
                if entry.held.len() >= limit {
                    let oldest = entry.held.remove(0);
                    entry.held.push(packet);
                    return Resolve::Dropped(oldest, Why::Displaced);
                }
                entry.hold(packet);
                return Resolve::Held;
            }
            State::Incomplete | State::Reachable | State::Down => {}
        }
        entry.state = State::Incomplete;
        entry.fresh_until_ns = 0;
        entry.tries = 1;
        entry.used = true;
        entry.hold(packet);
        self.set_deadline(row, now_ns.saturating_add(retry_ns));
        Resolve::Query
    }

    /// Takes a received packet. `locals` are the addresses of the interface that received it.
    pub fn input(
        &mut self,
        arp: &ArpPacket,
        our_mac: MacAddr,
        locals: &[Local],
        now_ns: u64,
    ) -> Input<P> {
        let (mac, ip, target) = (arp.sender_mac, arp.sender_ip(), arp.target_ip());
        let mut out = Input::NOTHING;
        // A group is nobody's address, and our own packets may come back to us.
        if !mac.is_unicast() || mac == our_mac {
            return out;
        }
        if locals.iter().any(|local| local.addr == ip) {
            let defend = now_ns >= self.defend_after_ns;
            if defend {
                self.defend_after_ns = now_ns.saturating_add(self.config.defend_ns);
            }
            out.conflict = Some(Conflict { ip, mac, defend });
            return out;
        }
        let for_us = locals.iter().any(|local| local.addr == target);
        if !ip.is_unspecified() {
            if !is_unicast(ip) || locals.iter().any(|local| local.is_broadcast(ip)) {
                return out;
            }
            // RFC 826: who is known is updated whatever the packet is about; who is new is
            // learnt only if it is about us. Ours: and if it is a neighbour.
            if let Some(row) = self.table.find(ip) {
                self.confirm(row, mac, now_ns, &mut out);
            } else if for_us && locals.iter().any(|local| local.is_on_link(ip)) {
                if self.make_room(false) {
                    let row = self.table.insert(ip, Entry::new());
                    self.confirm(row, mac, now_ns, &mut out);
                    out.learnt = Learnt::New;
                } else {
                    out.learnt = Learnt::Full;
                }
            }
        }
        // A probe (RFC 5227 §2.1.1), which has no sender, is answered too: that defends us.
        if for_us && arp.is_request() {
            out.reply = Some(ArpPacket::reply(our_mac, target, mac, ip));
        }
        out
    }

    /// The owner of a row was heard.
    fn confirm(&mut self, row: usize, mac: MacAddr, now_ns: u64, out: &mut Input<P>) {
        let (lifetime_ns, probe_ns) = (self.config.lifetime_ns, self.config.probe_ns);
        let Some(entry) = self.table.get_mut(row) else { return };
        out.learnt = match entry.state {
            State::Static if entry.mac == mac => return,
            State::Static => {
                out.learnt = Learnt::Static;
                return;
            }
            State::Reachable if entry.mac != mac => Learnt::Moved(entry.mac),
            State::Reachable | State::Incomplete | State::Down => Learnt::Refreshed,
        };
        let deadline_ns = now_ns.saturating_add(lifetime_ns);
        entry.state = State::Reachable;
        entry.mac = mac;
        entry.tries = 0;
        entry.fresh_until_ns = deadline_ns.saturating_sub(probe_ns);
        if !entry.held.is_empty() {
            out.release = Some((mac, core::mem::take(&mut entry.held)));
        }
        self.set_deadline(row, deadline_ns);
    }

    /// The next thing that is due; call it until there is none.
    pub fn expire(&mut self, now_ns: u64) -> Option<Action<P>> {
        while self.cursor > 0 || self.next_deadline().is_some_and(|next| next <= now_ns) {
            let action = self.expire_from_cursor(now_ns);
            if action.is_some() {
                return action;
            }
            // One pass over all. If it began in the middle, there may be more.
            self.cursor = 0;
        }
        None
    }

    fn expire_from_cursor(&mut self, now_ns: u64) -> Option<Action<P>> {
        while let Some(entry) = self.table.get_mut(self.cursor) {
            if entry.deadline_ns > now_ns {
                self.cursor += 1;
                continue;
            }
            let row = self.cursor;
            match entry.state {
                // Another row moves here.
                State::Reachable | State::Down => self.drop_row(row),
                State::Static => self.cursor += 1,
                State::Incomplete => {
                    self.cursor += 1;
                    let again = entry.tries < self.config.tries;
                    let wait = if again { self.config.retry_ns } else { self.config.down_ns };
                    let packets = if again {
                        entry.tries += 1;
                        None
                    } else {
                        entry.state = State::Down;
                        Some(core::mem::take(&mut entry.held))
                    };
                    let (ip, _) = self.table.get(row)?;
                    self.set_deadline(row, now_ns.saturating_add(wait.max(1)));
                    return Some(match packets {
                        None => Action::Query(ip),
                        Some(packets) => Action::Unreachable(ip, packets),
                    });
                }
            }
        }
        None
    }

    /// When to call [`ArpCache::expire`].
    pub fn next_deadline(&mut self) -> Option<u64> {
        if self.stale {
            let all = self.table.iter().map(|(_, entry)| entry.deadline_ns);
            self.next_ns = all.min().unwrap_or(u64::MAX);
            self.stale = false;
        }
        Some(self.next_ns).filter(|next| *next != u64::MAX)
    }

    /// Sets an address by hand; gives the packets that waited for it. `None` if there is no room.
    pub fn set_static(&mut self, ip: Ipv4Addr, mac: MacAddr) -> Option<Vec<P>> {
        let row = match self.table.find(ip) {
            Some(row) => row,
            None if self.make_room(true) => self.table.insert(ip, Entry::new()),
            None => return None,
        };
        self.set_deadline(row, u64::MAX);
        let entry = self.table.get_mut(row)?;
        entry.state = State::Static;
        entry.mac = mac;
        entry.fresh_until_ns = u64::MAX;
        Some(core::mem::take(&mut entry.held))
    }

    /// Forgets an address; gives the packets that waited for it. `None` if it is not known.
    pub fn remove(&mut self, ip: Ipv4Addr) -> Option<Vec<P>> {
        let row = self.table.find(ip)?;
        let held = core::mem::take(&mut self.table.get_mut(row)?.held);
        self.drop_row(row);
        Some(held)
    }

    /// Forgets everything but static addresses, and drops what waits: the link went down.
    pub fn flush(&mut self) {
        let mut row = 0;
        while let Some((_, entry)) = self.table.get(row) {
            if entry.state == State::Static { row += 1 } else { self.drop_row(row) }
        }
    }

    /// Forgets everything, static addresses too, and drops what waits.
    pub fn clear(&mut self) {
        while !self.is_empty() {
            self.drop_row(0);
        }
    }

    /// What is known of one address.
    pub fn get(&self, ip: Ipv4Addr) -> Option<Known> {
        let (ip, entry) = self.table.get(self.table.find(ip)?)?;
        Some(Known::of(ip, entry))
    }

    /// All addresses, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Known> {
        self.table.iter().map(|(ip, entry)| Known::of(ip, entry))
    }

    /// Number of addresses.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes that the cache holds now, without the packets that wait.
    pub fn footprint(&self) -> usize {
        let queues: usize = self.table.iter().map(|(_, entry)| entry.held.capacity()).sum();
        self.table.footprint() + queues * size_of::<P>()
    }

    /// The most by which [`ArpCache::footprint`] can grow in the next [`ArpCache::resolve`].
    pub fn resolve_cost(&self, ip: Ipv4Addr) -> usize {
        let entry = self.table.find(ip).and_then(|row| self.table.get(row));
        match entry {
            Some((_, entry)) => entry.queue_growth() * size_of::<P>(),
            None => self.table.insert_cost() + size_of::<P>(),
        }
    }

    /// The most by which it can grow in the next [`ArpCache::input`] or
    /// [`ArpCache::set_static`].
    pub fn input_cost(&self) -> usize {
        self.table.insert_cost()
    }

    fn set_deadline(&mut self, row: usize, deadline_ns: u64) {
        let Some(entry) = self.table.get_mut(row) else { return };
        self.stale |= entry.deadline_ns == self.next_ns && deadline_ns > self.next_ns;
        entry.deadline_ns = deadline_ns;
        self.next_ns = self.next_ns.min(deadline_ns);
    }

    fn drop_row(&mut self, row: usize) {
        if let Some(entry) = self.table.remove(row) {
            self.stale |= entry.deadline_ns == self.next_ns;
        }
    }

    /// Room for one more. `asked`: we want to send there; else somebody spoke to us.
    ///
    /// First goes what is down. Then the learnt address that was confirmed the longest ago:
    /// those that we never sent to before those that we did, and the latter only if we ask, so
    /// that a flood of strangers pushes out strangers. Addresses that are being asked for stay;
    /// when they are half of all, a scan is under way, and only what is down makes room for it.
    fn make_room(&mut self, asked: bool) -> bool {
        let limit = self.config.entries;
        if self.table.len() < limit || limit == 0 {
            return limit > 0;
        }
        let mut victim: Option<((bool, bool, u64), usize)> = None;
        let mut incomplete = 0;
        for (row, (_, entry)) in self.table.iter().enumerate() {
            let rank = match entry.state {
                State::Down => (false, false, entry.deadline_ns),
                State::Reachable => (true, entry.used, entry.deadline_ns),
                State::Incomplete => {
                    incomplete += 1;
                    continue;
                }
                State::Static => continue,
            };
            if victim.is_none_or(|(least, _)| rank < least) {
                victim = Some((rank, row));
            }
        }
        match victim {
            Some(((false, ..), row)) => self.drop_row(row),
            Some(((true, false, _), row)) if !asked || incomplete < limit / 2 => self.drop_row(row),
            Some(((true, true, _), row)) if asked && incomplete < limit / 2 => self.drop_row(row),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests;
