//! Who has which port, and which connections there are.
//!
//! * Ports: sockets that were bound, listen, or were connected by their program.
//! * Connections: found by who talks to whom, in a table hashed with a secret.
//! * Halves of connections: see `syncache`.
//!
//! Locking: `Rank::Pcbs`, and `Rank::Connection` inside it. Memory: charged.
//! Sources: RFC 6056 §3.3.1; NetBSD in_pcb.c; Linux tcp(7) (SO_REUSEADDR), socket(7)
//! (SO_BINDTODEVICE).

use core::net::{Ipv4Addr, SocketAddrV4};

use base::lock::{IntrGuard, IntrMutex, Rank};
use base::{Charge, Cx, KArc};
use hashbrown::HashTable;
use net::socket::{SockError, Socket};

use super::isn::{Pair, Secret};
use super::pcb::TcpPcb;
use super::syncache::{LIMIT, SynCache};
use crate::component::UDP;
use crate::udp::table::{Key, Share, Table, are_apart, hears};

/// The tables, behind their lock.
pub(crate) struct Tables(IntrMutex<Inner>);

/// What `Rank::Pcbs` guards.
pub(crate) struct Inner {
    pub(crate) ports: Table<KArc<TcpPcb>>,
    pub(crate) halves: SynCache,
    connections: HashTable<(Pair, KArc<TcpPcb>)>,
    secret: Option<Secret>,
    ports_charge: Charge,
    connections_charge: Charge,
}

impl Tables {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        let account = cx.account();
        let inner = Inner {
            ports: Table::new(),
            halves: SynCache::new(account, LIMIT),
            connections: HashTable::new(),
            secret: None,
            ports_charge: Charge::empty(account),
            connections_charge: Charge::empty(account),
        };
        Self(IntrMutex::new(cx, Rank::Pcbs, inner))
    }

    /// The tables, to look at.
    pub(crate) fn lock<'a>(&'a self, cx: &'a Cx<'_>) -> IntrGuard<'a, Inner> {
        self.0.lock(cx)
    }

    /// Adds a socket to those that may have ports.
    pub(crate) fn insert(&self, cx: &Cx<'_>, pcb: KArc<TcpPcb>) -> Result<Key, SockError> {
        let mut inner = self.lock(cx);
        let cost = Table::<KArc<TcpPcb>>::cost(inner.ports.len() + 1);
        if cost > inner.ports_charge.bytes() {
            inner.ports_charge.resize(cost)?;
        }
        Ok(inner.ports.insert(pcb))
    }

    /// Takes one out of them.
    pub(crate) fn remove(&self, cx: &Cx<'_>, key: Key) {
        let mut inner = self.lock(cx);
        let pcb = inner.ports.remove(key);
        if inner.ports.len() == 0 {
            // A smaller charge is not refused.
            let _ = inner.ports_charge.resize(0);
        }
        drop(inner);
        drop(pcb);
    }

    /// Gives a socket a port, of its own choice or of the kernel's.
    pub(crate) fn bind(
        &self,
        cx: &Cx<'_>,
        key: Key,
        local: SocketAddrV4,
        share: Share,
    ) -> Result<(), SockError> {
        let (random, range) = (base::random::u32(cx), cx.get(&UDP).ephemeral.range());
        let mut inner = self.lock(cx);
        let shares = share.reuse || share.user.is_some();
        if share.user.is_some() {
            inner.ports.set_seed(|| base::random::u64(cx));
        }
        let port = match local.port() {
            0 => inner.ports.choose_port(*local.ip(), share.device, range, random),
            _ if !shares && inner.has_connection_at(local, share.device) => None,
            port => Some(port),
        };
        Ok(inner.ports.bind(key, *local.ip(), port.ok_or(SockError::AddrInUse)?, share)?)
    }

    /// Gives a socket that will connect to `peer` a port from which nobody is connected there: what is
    /// over, but may still get old segments, keeps its port towards that peer and no other.
    pub(crate) fn bind_towards(
        &self,
        cx: &Cx<'_>,
        key: Key,
        (local, source): (Ipv4Addr, Ipv4Addr),
        peer: SocketAddrV4,
        device: u32,
    ) -> Result<(), SockError> {
        let (random, range) = (base::random::u32(cx), cx.get(&UDP).ephemeral.range());
        let (min, max) = (u32::from(*range.start()), u32::from(*range.end()));
        let count = max.saturating_sub(min) + 1;
        let share = Share { device, ..Share::default() };
        let mut inner = self.lock(cx);
        let is_free = |port: &u16| {
            let pair = Pair { local: SocketAddrV4::new(source, *port), peer };
            inner.ports.is_free(local, *port, share) && inner.conflict(&pair, device).is_none()
        };
        // RFC 6056 §3.3.1, algorithm 1.
        let port = (0..count)
            .filter_map(|i| u16::try_from(min + (random % count + i) % count).ok())
            .find(is_free);
        let port = port.ok_or(SockError::AddrNotAvailable)?;
        Ok(inner.ports.bind(key, local, port, share)?)
    }

    /// A connection, any.
    pub(crate) fn any_connection(&self, cx: &Cx<'_>) -> Option<KArc<TcpPcb>> {
        self.lock(cx).connections.iter().next().map(|(_, pcb)| pcb.clone())
    }
}

impl Inner {
    /// What only this kernel knows. Made when it is first asked for.
    pub(crate) fn secret(&mut self, cx: &Cx<'_>) -> Secret {
        let new = || Secret([base::random::u64(cx), base::random::u64(cx)]);
        *self.secret.get_or_insert_with(new)
    }

    fn hash(&self, pair: &Pair) -> u64 {
        self.secret.map_or(0, |s| s.of_pair(pair, 0))
    }

    fn find(&self, pair: &Pair, is_it: impl Fn(&Socket) -> bool) -> Option<&KArc<TcpPcb>> {
        let found = self.connections.find(self.hash(pair), |(p, pcb)| p == pair && is_it(&pcb.so));
        found.map(|(_, pcb)| pcb)
    }

    /// The connection between these two that hears what arrives on the interface with that index.
    pub(crate) fn connection(&self, pair: &Pair, ifindex: u32) -> Option<&KArc<TcpPcb>> {
        self.find(pair, |so| hears(so.device(), ifindex))
    }

    /// One with which another one would be mixed up that is bound to `device`, or to none.
    fn conflict(&self, pair: &Pair, device: u32) -> Option<&KArc<TcpPcb>> {
        self.find(pair, |so| !are_apart(so.device(), device))
    }

    /// Adds a connection.
    pub(crate) fn add(
        &mut self,
        cx: &Cx<'_>,
        pair: Pair,
        pcb: KArc<TcpPcb>,
    ) -> Result<(), SockError> {
        let secret = self.secret(cx);
        if self.conflict(&pair, pcb.so.device()).is_some() {
            return Err(SockError::AddrInUse);
        }
        // It doubles when seven of eight places are taken; each has a byte beside it.
        let places = (self.connections.len() + 1).next_power_of_two().max(4).saturating_mul(2);
        let cost = places.saturating_mul(size_of::<(Pair, KArc<TcpPcb>)>() + 1) + 32;
        if cost > self.connections_charge.bytes() {
            self.connections_charge.resize(cost)?;
        }
        let hash = secret.of_pair(&pair, 0);
        self.connections.insert_unique(hash, (pair, pcb), |(p, _)| secret.of_pair(p, 0));
        Ok(())
    }

    /// Takes one out, if it is that one.
    pub(crate) fn take(&mut self, pair: &Pair, pcb: &TcpPcb) -> Option<KArc<TcpPcb>> {
        let hash = self.hash(pair);
        let is_it = |(p, other): &(Pair, KArc<TcpPcb>)| {
            p == pair && core::ptr::eq::<TcpPcb>(&***other, pcb)
        };
        let found = self.connections.find_entry(hash, is_it).ok()?;
        let ((_, pcb), _) = found.remove();
        if self.connections.is_empty() {
            self.connections = HashTable::new();
            let _ = self.connections_charge.resize(0);
        }
        Some(pcb)
    }

    /// All connections.
    pub(crate) fn connections(&self) -> impl Iterator<Item = (&Pair, &KArc<TcpPcb>)> {
        self.connections.iter().map(|(pair, pcb)| (pair, pcb))
    }

    /// Whether a connection is at a port: then it is not free for everybody.
    fn has_connection_at(&self, at: SocketAddrV4, device: u32) -> bool {
        let overlaps = |a: Ipv4Addr| at.ip().is_unspecified() || a == *at.ip();
        self.connections().any(|(p, pcb)| {
            let is_there = p.local.port() == at.port() && overlaps(*p.local.ip());
            is_there && !are_apart(pcb.so.device(), device)
        })
    }

    /// Who listens there, to what arrives on the interface with that index.
    pub(crate) fn listener(&self, pair: &Pair, ifindex: u32) -> Option<&KArc<TcpPcb>> {
        listener(&self.ports, pair, ifindex)
    }
}

/// The same in a table alone.
pub(crate) fn listener<'a>(
    ports: &'a Table<KArc<TcpPcb>>,
    pair: &Pair,
    ifindex: u32,
) -> Option<&'a KArc<TcpPcb>> {
    let (local, peer) = (pair.local, pair.peer);
    ports.find(*local.ip(), local.port(), peer, ifindex, |pcb| pcb.listens())
}
