//! Changing and showing routes: what route(8) does.
//!
//! Locking: `Rank::Route` around each change. Sources: NetBSD net/rtsock.c; route(8).

use core::fmt;
use core::net::Ipv4Addr;

use base::{Cx, Errno, KVec, NoMemory};

use super::{Route, RouteKind};
use crate::Ifnet;
use crate::component::NET;

/// What can go wrong with a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteError {
    /// There is one to the same destination.
    Exists,
    /// There is none.
    NotFound,
    /// The destination has bits beyond its prefix, or more than 32 of them are asked for.
    BadPrefix,
    /// The gateway is not on the link of any interface.
    UnreachableGateway,
    /// It follows from an interface's address: change that.
    Connected,
    /// The kernel's memory limit is reached.
    NoMemory,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exists => "there is a route to that destination already",
            Self::NotFound => "there is no such route",
            Self::BadPrefix => "the destination has bits set beyond its prefix",
            Self::UnreachableGateway => "the gateway is not on the link of any interface",
            Self::Connected => "that route follows from an interface's address",
            Self::NoMemory => "the kernel's memory limit is reached",
        })
    }
}

impl core::error::Error for RouteError {}

impl From<NoMemory> for RouteError {
    fn from(_: NoMemory) -> Self {
        RouteError::NoMemory
    }
}

impl From<RouteError> for Errno {
    fn from(e: RouteError) -> Errno {
        match e {
            RouteError::Exists => Errno::Exists,
            RouteError::NotFound => Errno::NoProcess,
            RouteError::BadPrefix => Errno::Invalid,
            RouteError::UnreachableGateway => Errno::NetUnreachable,
            RouteError::Connected => Errno::NotPermitted,
            RouteError::NoMemory => Errno::NoBuffers,
        }
    }
}

/// A destination: the addresses whose first `len` bits are those of `addr`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix4 {
    /// The network.
    pub addr: Ipv4Addr,
    /// How many bits count.
    pub len: u8,
}

impl Prefix4 {
    /// Everything.
    pub const DEFAULT: Prefix4 = Prefix4 { addr: Ipv4Addr::UNSPECIFIED, len: 0 };

    /// The network of `addr`.
    pub fn of(addr: Ipv4Addr, len: u8) -> Prefix4 {
        let mask = u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0);
        Prefix4 { addr: Ipv4Addr::from_bits(addr.to_bits() & mask), len: len.min(32) }
    }

    /// How many bits a mask has set, if none follows one that is not.
    pub fn len_of(mask: Ipv4Addr) -> Option<u8> {
        let len = mask.to_bits().leading_ones() as u8;
        (Prefix4::of(Ipv4Addr::BROADCAST, len).addr == mask).then_some(len)
    }

    fn check(self) -> Result<Self, RouteError> {
        let ok = self.len <= 32 && Prefix4::of(self.addr, self.len) == self;
        if ok { Ok(self) } else { Err(RouteError::BadPrefix) }
    }
}

impl fmt::Display for Prefix4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

/// Adds a route through a gateway, which must be a neighbour.
pub fn add(cx: &Cx<'_>, to: Prefix4, gateway: Ipv4Addr) -> Result<(), RouteError> {
    let via = super::lookup4(cx, gateway).ok_or(RouteError::UnreachableGateway)?;
    match via.kind {
        RouteKind::Connected => {}
        // As route(8) has it: one's own address as gateway means the interface itself.
        RouteKind::Local => {
            let route = Route { kind: RouteKind::Connected, is_static: true, ..via };
            return insert(cx, to, route);
        }
        _ => return Err(RouteError::UnreachableGateway),
    }
    insert(cx, to, Route { kind: RouteKind::Gateway(gateway), is_static: true, ..via })
}

/// Adds a route to nobody: `kind` says whether packets are refused or dropped. As route(8) has it,
/// the gateway is an address of this kernel's, such as 127.0.0.1.
pub fn add_dead_end(
    cx: &Cx<'_>,
    to: Prefix4,
    gateway: Ipv4Addr,
    kind: RouteKind,
) -> Result<(), RouteError> {
    let via = super::lookup4(cx, gateway).filter(|via| via.kind == RouteKind::Local);
    let via = via.ok_or(RouteError::UnreachableGateway)?;
    insert(cx, to, Route { kind, is_static: true, ..via })
}

/// Adds any route. For domains, whose addresses make routes.
pub fn insert(cx: &Cx<'_>, to: Prefix4, route: Route) -> Result<(), RouteError> {
    let to = to.check()?;
    let mut table = cx.get(&NET).routes.inet.lock(cx);
    if table.trie().get(to.addr.to_bits(), to.len).is_some() {
        return Err(RouteError::Exists);
    }
    Ok(table.insert(to.addr.to_bits(), to.len, route)?)
}

/// Deletes a route that a user made.
pub fn delete(cx: &Cx<'_>, to: Prefix4) -> Result<(), RouteError> {
    let to = to.check()?;
    let mut table = cx.get(&NET).routes.inet.lock(cx);
    match table.trie().get(to.addr.to_bits(), to.len) {
        None => Err(RouteError::NotFound),
        Some(r) if !r.is_static => Err(RouteError::Connected),
        Some(_) => {
            let gone = table.change(|trie| trie.remove(to.addr.to_bits(), to.len));
            drop(table);
            drop(gone);
            Ok(())
        }
    }
}

/// Deletes a route that an interface's address made; false if there was none. For domains.
pub fn withdraw(cx: &Cx<'_>, to: Prefix4, ifp: &Ifnet) -> bool {
    let mut table = cx.get(&NET).routes.inet.lock(cx);
    let mine = |r: &Route| !r.is_static && r.ifp.index() == ifp.index();
    let had = table.trie().get(to.addr.to_bits(), to.len).is_some_and(mine);
    if had {
        table.change(|trie| trie.remove(to.addr.to_bits(), to.len));
    }
    had
}

/// Deletes those routes that `gone` names.
pub fn retain(cx: &Cx<'_>, mut keep: impl FnMut(Prefix4, &Route) -> bool) -> usize {
    let mut table = cx.get(&NET).routes.inet.lock(cx);
    let mut keep = |k, len, r: &Route| keep(Prefix4 { addr: Ipv4Addr::from_bits(k), len }, r);
    table.change(|trie| trie.retain(&mut keep))
}

/// Deletes all routes that users made; says how many there were.
pub fn flush(cx: &Cx<'_>) -> usize {
    retain(cx, |_, r| !r.is_static)
}

/// The route that packets to `dst` take, with its destination.
pub fn get(cx: &Cx<'_>, dst: Ipv4Addr) -> Result<(Prefix4, Route), RouteError> {
    let table = cx.get(&NET).routes.inet.lock(cx);
    let found = table.trie().lookup(dst.to_bits());
    let (k, len, r) = found.ok_or(RouteError::NotFound)?;
    Ok((Prefix4 { addr: Ipv4Addr::from_bits(k), len }, r.clone()))
}

/// The route after that to `last` (none: the first one), in the order of their destinations. For
/// walks that let go of the table between two steps.
pub fn after(cx: &Cx<'_>, last: Option<Prefix4>) -> Option<(Prefix4, Route)> {
    let table = cx.get(&NET).routes.inet.lock(cx);
    let found = table.trie().next_after(last.map(|p| (p.addr.to_bits(), p.len)));
    found.map(|(k, len, r)| (Prefix4 { addr: Ipv4Addr::from_bits(k), len }, r.clone()))
}

/// All routes, in the order of their destinations.
pub fn list(cx: &Cx<'_>) -> Result<KVec<(Prefix4, Route)>, NoMemory> {
    let mut routes = KVec::new(cx);
    let table = cx.get(&NET).routes.inet.lock(cx);
    for (k, len, r) in table.trie().iter() {
        routes.push((Prefix4 { addr: Ipv4Addr::from_bits(k), len }, r.clone()))?;
    }
    Ok(routes)
}
