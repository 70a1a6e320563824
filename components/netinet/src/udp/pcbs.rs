//! The table of endpoints in a kernel: charged, locked, and careful about addresses.
//!
//! UDP has one, by ports; ping sockets have one, by identifiers.
//!
//! Locking: `Rank::Pcbs`. Sources: NetBSD in_pcb.c.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use base::lock::{IntrGuard, IntrMutex, Rank};
use base::{Charge, Cx, KArc, Lwp};
use net::route::{RouteKind, kind_of};
use net::socket::{SockError, SockFlags, Socket};

use super::ports::{Ephemeral, RESERVED};
use super::table::{Endpoint, Key, Share, Table, TableError};
use crate::ip::way::{self, Out};

/// Endpoints and the charge for their table.
pub(crate) struct Pcbs {
    inner: IntrMutex<Inner>,
}

/// What `Rank::Pcbs` guards.
pub(crate) struct Inner {
    pub(crate) table: Table<KArc<Socket>>,
    charge: Charge,
}

impl From<TableError> for SockError {
    fn from(e: TableError) -> SockError {
        match e {
            TableError::InUse => SockError::AddrInUse,
            TableError::Bound => SockError::Invalid,
        }
    }
}

/// The IPv4 address in `addr`.
pub(crate) fn inet(addr: SocketAddr) -> Result<SocketAddrV4, SockError> {
    match addr {
        SocketAddr::V4(a) => Ok(a),
        SocketAddr::V6(_) => Err(SockError::NoFamily),
    }
}

/// The IPv4 host in `addr`, if it is one.
pub(crate) fn v4(addr: SocketAddr) -> Option<Ipv4Addr> {
    inet(addr).ok().map(|addr| *addr.ip())
}

/// The destination that is meant: none at all means this host, as programs expect.
pub(crate) fn destination(addr: SocketAddr) -> Result<SocketAddrV4, SockError> {
    let addr = inet(addr)?;
    let here = addr.ip().is_unspecified();
    Ok(if here { SocketAddrV4::new(Ipv4Addr::LOCALHOST, addr.port()) } else { addr })
}

/// With whom a socket shares its address.
pub(crate) fn share(cx: &Cx<'_>, so: &Socket) -> Share {
    let state = so.state(cx);
    let reuse = state.flags.contains(SockFlags::REUSEADDR);
    Share { reuse, user: state.shares_port, device: so.device() }
}

/// Whether a socket may have `addr`: an address of this kernel, or one that packets for several
/// hosts are sent to.
pub(crate) fn may_have(cx: &Cx<'_>, addr: Ipv4Addr) -> bool {
    addr.is_unspecified()
        || addr.is_broadcast()
        || addr.is_multicast()
        || matches!(kind_of(cx, addr), Some(RouteKind::Local | RouteKind::Broadcast))
}

impl Pcbs {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        let inner = Inner { table: Table::new(), charge: Charge::empty(cx.account()) };
        Self { inner: IntrMutex::new(cx, Rank::Pcbs, inner) }
    }

    /// The table, to look at.
    pub(crate) fn lock<'a>(&'a self, cx: &'a Cx<'_>) -> IntrGuard<'a, Inner> {
        self.inner.lock(cx)
    }

    /// Adds a socket.
    pub(crate) fn insert(&self, cx: &Cx<'_>, so: &KArc<Socket>) -> Result<Key, SockError> {
        let mut inner = self.inner.lock(cx);
        let cost = Table::<KArc<Socket>>::cost(inner.table.len() + 1);
        // The charge only grows, until the table is empty: so does what it is for.
        if cost > inner.charge.bytes() {
            inner.charge.resize(cost)?;
        }
        Ok(inner.table.insert(so.clone()))
    }

    /// Takes one out.
    pub(crate) fn remove(&self, cx: &Cx<'_>, key: Key) {
        let mut inner = self.inner.lock(cx);
        let owner = inner.table.remove(key);
        if inner.table.len() == 0 {
            // A smaller charge is not refused.
            let _ = inner.charge.resize(0);
        }
        drop(inner);
        drop(owner);
    }

    /// Gives an endpoint the address `addr`; port 0: one of the kernel's choice.
    pub(crate) fn bind(
        &self,
        l: &Lwp<'_>,
        key: Key,
        so: &Socket,
        addr: SocketAddrV4,
        ephemeral: &Ephemeral,
    ) -> Result<(), SockError> {
        if (1..RESERVED).contains(&addr.port()) && !l.proc().is_root(l) {
            return Err(SockError::AccessDenied);
        }
        self.bind_unreserved(l, key, so, addr, ephemeral)
    }

    /// The same where no port is reserved.
    pub(crate) fn bind_unreserved(
        &self,
        cx: &Cx<'_>,
        key: Key,
        so: &Socket,
        addr: SocketAddrV4,
        ephemeral: &Ephemeral,
    ) -> Result<(), SockError> {
        if !may_have(cx, *addr.ip()) {
            return Err(SockError::AddrNotAvailable);
        }
        if addr.port() == 0 {
            return self.bind_any(cx, key, so, *addr.ip(), ephemeral);
        }
        let share = share(cx, so);
        let table = &mut self.inner.lock(cx).table;
        if share.user.is_some() {
            table.set_seed(|| base::random::u64(cx));
        }
        Ok(table.bind(key, *addr.ip(), addr.port(), share)?)
    }

    /// Gives an endpoint a port of the kernel's choice.
    fn bind_any(
        &self,
        cx: &Cx<'_>,
        key: Key,
        so: &Socket,
        local: Ipv4Addr,
        ephemeral: &Ephemeral,
    ) -> Result<(), SockError> {
        let share = share(cx, so);
        let random = base::random::u32(cx);
        let table = &mut self.inner.lock(cx).table;
        if share.user.is_some() {
            table.set_seed(|| base::random::u64(cx));
        }
        let port = table.choose_port(local, share.device, ephemeral.range(), random);
        Ok(table.bind(key, local, port.ok_or(SockError::AddrInUse)?, share)?)
    }

    /// Where an endpoint is, after it was given a port if it had none.
    pub(crate) fn bound(
        &self,
        cx: &Cx<'_>,
        key: Key,
        so: &Socket,
        ephemeral: &Ephemeral,
    ) -> Result<Endpoint, SockError> {
        let at = self.endpoint(cx, key);
        if at.port != 0 {
            return Ok(at);
        }
        self.bind_any(cx, key, so, at.local, ephemeral)?;
        Ok(self.endpoint(cx, key))
    }

    /// The socket was bound to an interface, or to none (SO_BINDTODEVICE).
    pub(crate) fn device_changed(&self, cx: &Cx<'_>, key: Key, so: &Socket) {
        let mut inner = self.inner.lock(cx);
        // Looked at under the lock, so that the last one of two changes is what stays.
        inner.table.set_device(key, so.device());
    }

    /// Gives an endpoint a peer, and the address that it is reached from, this way.
    pub(crate) fn connect(
        &self,
        cx: &Cx<'_>,
        key: Key,
        so: &Socket,
        (to, out): (SocketAddrV4, Out),
        ephemeral: &Ephemeral,
    ) -> Result<(), SockError> {
        let local = way::source(cx, *to.ip(), out)?;
        self.bound(cx, key, so, ephemeral)?;
        Ok(self.inner.lock(cx).table.connect(key, local, to)?)
    }

    /// Takes an endpoint's peer away.
    pub(crate) fn disconnect(&self, cx: &Cx<'_>, key: Key) -> Result<(), SockError> {
        let had = self.inner.lock(cx).table.disconnect(key);
        if had { Ok(()) } else { Err(SockError::NotConnected) }
    }

    /// Where an endpoint is.
    pub(crate) fn endpoint(&self, cx: &Cx<'_>, key: Key) -> Endpoint {
        self.inner.lock(cx).table.endpoint(key)
    }
}
