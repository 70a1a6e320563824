//! Routing: which way a packet leaves.
//!
//! * [`trie`] is the table itself, without locks or kernel.
//! * [`Route`]: what it says; [`lookup4`]: asked for every packet.
//! * [`config`]: what route(8) does.
//!
//! An interface's address makes three kinds of route: to the network (connected), to the address
//! itself (local), and to the network's broadcast address. So one look tells a protocol whether a
//! packet is for this kernel, for everybody, or to be passed on.
//!
//! Locking: `Rank::Route`; never held while a packet is sent.
//! Sources: NetBSD net/route.c. DIFFERS: local and broadcast addresses are routes.

pub mod config;
pub mod trie;

use core::net::Ipv4Addr;

use base::lock::{IntrMutex, Rank};
use base::{Charge, Cx, KArc};

use crate::Ifnet;
use crate::component::NET;
use trie::Trie;

/// What kind of destination it is.
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

struct Table {
    trie: Trie<u32, Route>,
    charge: Charge,
}

impl Routes {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        let table = Table { trie: Trie::new(), charge: Charge::empty(cx.account()) };
        Self { inet: IntrMutex::new(cx, Rank::Route, table) }
    }
}

/// The route to `dst`, if there is one.
#[inline]
pub fn lookup4(cx: &Cx<'_>, dst: Ipv4Addr) -> Option<Route> {
    let table = cx.get(&NET).routes.inet.lock(cx);
    table.trie.lookup(dst.to_bits()).map(|(_, _, r)| r.clone())
}

/// Forgets the routes through an interface that goes.
pub(crate) fn interface_gone(cx: &Cx<'_>, ifp: &Ifnet) {
    let mut table = cx.get(&NET).routes.inet.lock(cx);
    table.trie.retain(|_, _, r| r.ifp.index() != ifp.index());
}
