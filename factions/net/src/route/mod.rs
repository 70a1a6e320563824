//! Routing: which way a packet leaves.
//!
//! * [`trie`] is the table itself, without locks or kernel; `table`: a kernel's, with what it was
//!   asked lately.
//! * [`Route`]: what it says; [`lookup4`], [`with_route`]: asked for every packet; [`lookup4_by`]: by
//!   one interface.
//! * [`config`]: what route(8) does.
//!
//! An interface's address makes three kinds of route: to the network (connected), to the address
//! itself (local), and to the network's broadcast address. So one look tells a protocol whether a
//! packet is for this kernel, for everybody, or to be passed on.
//!
//! Locking: `Rank::Route`; never held while a packet is sent.
//! Sources: NetBSD net/route.c. DIFFERS: local and broadcast addresses are routes.

pub mod config;
mod table;
pub mod trie;

use core::net::Ipv4Addr;

use base::lock::{IntrMutex, Rank};
use base::{Cx, KArc};

use crate::Ifnet;
use crate::component::NET;
use table::Table;

/// What kind of destination it is. One word, so that it is copied as one.
#[repr(align(8))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteKind {
    /// A neighbour on the interface's link.
    Connected,
    /// Behind this neighbour.
    Gateway(Ipv4Addr),
    /// An address of this kernel's, on that interface.
    Local,
    /// Everybody on the interface's link.
    Broadcast,
    /// Nobody: packets are refused, with an ICMP error.
    Reject,
    /// Nobody: packets are dropped without a word.
    Blackhole,
}

/// A route.
#[derive(Clone)]
pub struct Route {
    /// What is there.
    pub kind: RouteKind,
    /// The interface to leave by.
    pub ifp: KArc<Ifnet>,
    /// The address to send from, where the sender has not chosen one.
    pub source: Ipv4Addr,
    /// Set by a user, not by an interface's address.
    pub is_static: bool,
}

/// A kernel's routing tables.
pub(crate) struct Routes {
    inet: IntrMutex<Table>,
}

impl Routes {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self { inet: IntrMutex::new(cx, Rank::Route, Table::new(cx)) }
    }
}

/// The route to `dst`, if there is one.
#[inline]
pub fn lookup4(cx: &Cx<'_>, dst: Ipv4Addr) -> Option<Route> {
    with_route(cx, dst, Route::clone)
}

/// What kind of destination `dst` is, if a route leads there.
#[inline]
pub fn kind_of(cx: &Cx<'_>, dst: Ipv4Addr) -> Option<RouteKind> {
    with_route(cx, dst, |route| route.kind)
}

/// Looks at the route to `dst`, if there is one, without taking hold of its interface. Nothing that
/// takes a lock may be done with it.
#[inline]
pub fn with_route<R>(cx: &Cx<'_>, dst: Ipv4Addr, look: impl FnOnce(&Route) -> R) -> Option<R> {
    cx.get(&NET).routes.inet.lock(cx).find(dst).map(look)
}

/// The route to `dst` for a packet that may leave by the interface with that index only. What is
/// refused is refused whichever way it would leave.
pub fn lookup4_by(cx: &Cx<'_>, dst: Ipv4Addr, index: u32) -> Option<Route> {
    let refuses = |kind| matches!(kind, RouteKind::Reject | RouteKind::Blackhole);
    let counts = |r: &Route| r.ifp.index() == index || refuses(r.kind);
    let table = cx.get(&NET).routes.inet.lock(cx);
    table.trie().lookup_where(dst.to_bits(), counts).map(|(_, _, r)| r.clone())
}

/// Forgets the routes through an interface that goes.
pub(crate) fn interface_gone(cx: &Cx<'_>, ifp: &Ifnet) {
    let mut table = cx.get(&NET).routes.inet.lock(cx);
    table.change(|trie| trie.retain(|_, _, r| r.ifp.index() != ifp.index()));
}
