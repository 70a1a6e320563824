//! Endpoints, and who gets a datagram.
//!
//! * [`Table::insert`], [`Table::bind`], [`Table::connect`], [`Table::remove`].
//! * [`Table::lookup`]: the one endpoint that a packet to one host is for.
//! * [`Table::matches`]: all that a packet to everybody is for.
//! * [`Table::choose_port`]: one that nobody has.
//!
//! Endpoints are found by local port; those of one port are looked at one by one. One that is bound to
//! an interface (SO_BINDTODEVICE) hears what arrives there only, and shares its port with those of
//! others.
//!
//! Locking: none; the owner guards it. Memory: [`Table::cost`] says what to charge beforehand.
//! Sources: RFC 1122 §4.1.3.5 (wildcard addresses); RFC 6056 §3.3.1; NetBSD in_pcb.c;
//! Linux ip(7) (SO_REUSEADDR), socket(7) (SO_REUSEPORT,
//! SO_BINDTODEVICE), its compute_score for who hears before whom.

use core::hash::{BuildHasherDefault, Hasher};
use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::RangeInclusive;

use hashbrown::HashMap;
use slab::Slab;
use smallvec::SmallVec;

/// Names an endpoint in its table.
pub(crate) type Key = usize;

/// Where a socket is, and what it talks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Endpoint {
    /// The address; unspecified: every one of this kernel's.
    pub(crate) local: Ipv4Addr,
    /// The port; 0: none yet.
    pub(crate) port: u16,
    /// The only one that it hears, if it is connected.
    pub(crate) peer: Option<SocketAddrV4>,
}

impl Endpoint {
    const NOWHERE: Self = Self { local: Ipv4Addr::UNSPECIFIED, port: 0, peer: None };

    /// How exactly this endpoint is meant; `None` if it is not.
    fn score(&self, dst: Ipv4Addr, from: SocketAddrV4) -> Option<u8> {
        let peer = match self.peer {
            Some(peer) if peer == from => 2,
            Some(_) => return None,
            None => 0,
        };
        match self.local {
            local if local == dst => Some(peer + 1),
            local if local.is_unspecified() => Some(peer),
            _ => None,
        }
    }
}

/// Whether what is bound to the interface `device` (0: to none) hears what arrives on `ifindex`.
#[inline]
pub(crate) fn hears(device: u32, ifindex: u32) -> bool {
    device == 0 || device == ifindex
}

/// Whether nothing that one of them hears is for the other one.
pub(crate) fn are_apart(device: u32, other: u32) -> bool {
    device != 0 && other != 0 && device != other
}

/// With whom a socket shares its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Share {
    /// With others that also would (SO_REUSEADDR).
    pub(crate) reuse: bool,
    /// With those of this user, each of which gets a part of what comes (SO_REUSEPORT).
    pub(crate) user: Option<u32>,
    /// With those that are bound to another interface than this one (SO_BINDTODEVICE); 0: it is bound
    /// to none.
    pub(crate) device: u32,
}

impl Share {
    fn goes_with(self, other: Share) -> bool {
        (self.reuse && other.reuse)
            || (self.user.is_some() && self.user == other.user)
            || are_apart(self.device, other.device)
    }
}

impl From<bool> for Share {
    fn from(reuse: bool) -> Share {
        Share { reuse, ..Share::default() }
    }
}

struct Entry<S> {
    at: Endpoint,
    /// The address was chosen by `connect`, and goes with the peer.
    borrowed: bool,
    share: Share,
    owner: S,
}

impl<S> Entry<S> {
    fn score(&self, dst: Ipv4Addr, from: SocketAddrV4, ifindex: u32) -> Option<u8> {
        let device = self.share.device;
        let score = self.at.score(dst, from).filter(|_| hears(device, ifindex))?;
        Some(2 * score + u8::from(device != 0))
    }
}

/// Why an endpoint did not get what it asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TableError {
    /// Somebody else has it.
    InUse,
    /// The endpoint has a port already, or is not in the table.
    Bound,
}

/// Ports are spread evenly enough by themselves; a multiplication moves them to the high bits.
#[derive(Default)]
struct PortHasher(u64);

impl Hasher for PortHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u16(u16::from(*b)));
    }

    fn write_u16(&mut self, n: u16) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Ports = HashMap<u16, SmallVec<[Key; 2]>, BuildHasherDefault<PortHasher>>;

/// Endpoints of one protocol.
pub(crate) struct Table<S> {
    entries: Slab<Entry<S>>,
    ports: Ports,
    /// For those that share ports; 0: there has been none.
    seed: u64,
}

impl<S> Table<S> {
    /// An empty table; it holds no memory.
    pub(crate) fn new() -> Self {
        Self { entries: Slab::new(), ports: HashMap::default(), seed: 0 }
    }

    /// How many endpoints there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The most memory that a table of `n` endpoints takes.
    pub(crate) fn cost(n: usize) -> usize {
        // Both parts double as they grow; a port costs a slot, one in eight of which stays empty,
        // a byte of metadata, and a place in a list that doubles too.
        let each =
            size_of::<Entry<S>>() + 8 + 2 * (size_of::<(u16, SmallVec<[Key; 2]>)>() + 1) + 16;
        if n == 0 { 0 } else { n.next_power_of_two().max(4).saturating_mul(each) }
    }

    /// A new endpoint, nowhere yet.
    pub(crate) fn insert(&mut self, owner: S) -> Key {
        let at = Endpoint::NOWHERE;
        self.entries.insert(Entry { at, borrowed: false, share: Share::default(), owner })
    }

    /// Takes an endpoint out.
    pub(crate) fn remove(&mut self, key: Key) -> Option<S> {
        let entry = self.entries.try_remove(key)?;
        if let Some(keys) = self.ports.get_mut(&entry.at.port) {
            keys.retain(|k| *k != key);
            if keys.is_empty() {
                self.ports.remove(&entry.at.port);
            }
        }
        if self.entries.is_empty() {
            *self = Self::new();
        }
        Some(entry.owner)
    }

    /// Where an endpoint is.
    pub(crate) fn endpoint(&self, key: Key) -> Endpoint {
        self.entries.get(key).map_or(Endpoint::NOWHERE, |e| e.at)
    }

    /// An endpoint is bound to that interface from now on, or to none. Who shares its port stays there.
    pub(crate) fn set_device(&mut self, key: Key, device: u32) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.share.device = device;
        }
    }

    /// All endpoints.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Endpoint, &S)> {
        self.entries.iter().map(|(_, e)| (&e.at, &e.owner))
    }

    fn of_port(&self, port: u16) -> impl DoubleEndedIterator<Item = (Key, &Entry<S>)> {
        let keys = self.ports.get(&port).map(SmallVec::as_slice).unwrap_or_default();
        keys.iter().filter_map(|k| self.entries.get(*k).map(|e| (*k, e)))
    }

    /// Whether `local` and `port` can be had: nobody has them, or all who overlap would share.
    pub(crate) fn is_free(&self, local: Ipv4Addr, port: u16, share: impl Into<Share>) -> bool {
        let share = share.into();
        let overlaps = |a: Ipv4Addr| a == local || a.is_unspecified() || local.is_unspecified();
        self.of_port(port).all(|(_, e)| !overlaps(e.at.local) || share.goes_with(e.share))
    }

    /// Gives an endpoint its address and port.
    pub(crate) fn bind(
        &mut self,
        key: Key,
        local: Ipv4Addr,
        port: u16,
        share: impl Into<Share>,
    ) -> Result<(), TableError> {
        let share = share.into();
        if self.entries.get(key).is_none_or(|e| e.at.port != 0) {
            return Err(TableError::Bound);
        }
        if !self.is_free(local, port, share) {
            return Err(TableError::InUse);
        }
        let entry = self.entries.get_mut(key).ok_or(TableError::Bound)?;
        entry.at = Endpoint { local, port, ..entry.at };
        (entry.share, entry.borrowed) = (share, false);
        self.ports.entry(port).or_default().push(key);
        Ok(())
    }

    /// Gives an endpoint, which has a port, a peer, and `local` as its address if it has none.
    pub(crate) fn connect(
        &mut self,
        key: Key,
        local: Ipv4Addr,
        peer: SocketAddrV4,
    ) -> Result<(), TableError> {
        let entry = self.entries.get(key).filter(|e| e.at.port != 0).ok_or(TableError::Bound)?;
        let borrowed = entry.borrowed || entry.at.local.is_unspecified();
        let local = if borrowed { local } else { entry.at.local };
        let at = Endpoint { local, port: entry.at.port, peer: Some(peer) };
        let share = entry.share;
        let is_same = |e: &Entry<S>| e.at == at && !are_apart(share.device, e.share.device);
        if self.of_port(at.port).any(|(k, e)| k != key && is_same(e)) {
            return Err(TableError::InUse);
        }
        if let Some(entry) = self.entries.get_mut(key) {
            (entry.at, entry.borrowed) = (at, borrowed);
        }
        Ok(())
    }

    /// Takes the peer away; false if there was none.
    pub(crate) fn disconnect(&mut self, key: Key) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if core::mem::take(&mut entry.borrowed) {
            entry.at.local = Ipv4Addr::UNSPECIFIED;
        }
        entry.at.peer.take().is_some()
    }

    /// A port in `range` that nobody has at `local`, tried from a random one on. For one that is bound to
    /// the interface `device`, if that is not 0: those of others are free.
    pub(crate) fn choose_port(
        &self,
        local: Ipv4Addr,
        device: u32,
        range: RangeInclusive<u16>,
        random: u32,
    ) -> Option<u16> {
        let share = Share { device, ..Share::default() };
        // RFC 6056 §3.3.1, algorithm 1.
        let (min, max) = (u32::from(*range.start()), u32::from(*range.end()));
        let count = max.checked_sub(min)? + 1;
        (0..count)
            .map(|i| min + (random % count + i) % count)
            .filter_map(|port| u16::try_from(port).ok())
            .find(|port| self.is_free(local, *port, share))
    }

    /// Who gets a packet from `from` to `dst` and `port`, which arrived on the interface with that index:
    /// who is connected to the sender before who is not, who has the address before who has them all, who
    /// is bound to the interface before who is not, and of equals the latest, or, if they share the port,
    /// one that the sender's address chooses.
    pub(crate) fn lookup(
        &self,
        dst: Ipv4Addr,
        port: u16,
        from: SocketAddrV4,
        ifindex: u32,
    ) -> Option<&S> {
        self.find(dst, port, from, ifindex, |_| true)
    }

    /// The same among those that `wanted` says.
    pub(crate) fn find(
        &self,
        dst: Ipv4Addr,
        port: u16,
        from: SocketAddrV4,
        ifindex: u32,
        wanted: impl Fn(&S) -> bool,
    ) -> Option<&S> {
        let scored = || {
            let all = self.of_port(port).filter(|(_, e)| wanted(&e.owner));
            all.filter_map(|(_, e)| Some((e.score(dst, from, ifindex)?, e)))
        };
        let (best, first) = scored().max_by_key(|(score, _)| *score)?;
        if first.share.user.is_none() {
            return Some(&first.owner);
        }
        let alike =
            || scored().filter(|(score, e)| *score == best && e.share.user == first.share.user);
        let count = u64::try_from(alike().count()).unwrap_or(1).max(1);
        let which = usize::try_from(self.spread(from) % count).unwrap_or(0);
        alike().nth(which).map(|(_, e)| &e.owner)
    }

    /// A number that a sender always has, and nobody else can tell.
    fn spread(&self, from: SocketAddrV4) -> u64 {
        let who = u64::from(from.ip().to_bits()) << 16 | u64::from(from.port());
        let mixed = (who ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32
    }

    /// Makes what chooses among those that share a port one's own, once.
    pub(crate) fn set_seed(&mut self, random: impl FnOnce() -> u64) {
        if self.seed == 0 {
            self.seed = random();
        }
    }

    /// Whose endpoint it is.
    pub(crate) fn owner(&self, key: Key) -> Option<&S> {
        self.entries.get(key).map(|e| &e.owner)
    }

    /// Everybody who wants such a packet.
    pub(crate) fn matches(
        &self,
        dst: Ipv4Addr,
        port: u16,
        from: SocketAddrV4,
        ifindex: u32,
    ) -> impl Iterator<Item = &S> {
        self.of_port(port)
            .filter(move |(_, e)| e.score(dst, from, ifindex).is_some())
            .map(|(_, e)| &e.owner)
    }

    /// Who is connected from `local` and `port` to `peer`, and hears what arrives on that interface.
    pub(crate) fn connected(
        &self,
        local: Ipv4Addr,
        port: u16,
        peer: SocketAddrV4,
        ifindex: u32,
    ) -> Option<&S> {
        let at = Endpoint { local, port, peer: Some(peer) };
        let is_it = |e: &Entry<S>| e.at == at && hears(e.share.device, ifindex);
        self.of_port(port).find(|(_, e)| is_it(e)).map(|(_, e)| &e.owner)
    }
}

#[cfg(test)]
mod tests;
