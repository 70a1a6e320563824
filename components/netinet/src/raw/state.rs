//! The raw sockets of a kernel.
//!
//! A list: they are few, and a packet may be for several of them.
//!
//! Locking: `Rank::Pcbs` for the list. How many there are is a word too, so that a packet asks no
//! more where there are none.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use base::evcnt::Counter;
use base::lock::{IntrGuard, IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, Errno, KArc, KVec, Lwp};
use net::socket::{SockError, Socket};

use crate::component::RAW;
use crate::udp::pcbs::Pcbs;
use crate::udp::ports::Ephemeral;
use crate::udp::table::hears;

/// A raw socket.
pub(crate) struct Entry {
    id: u64,
    pub(crate) protocol: u8,
    /// Unspecified: every address of this kernel.
    pub(crate) local: Ipv4Addr,
    pub(crate) peer: Option<Ipv4Addr>,
    pub(crate) so: KArc<Socket>,
}

impl Entry {
    /// Whether a packet is for this socket, which arrived on the interface with that index.
    pub(crate) fn wants(&self, protocol: u8, src: Ipv4Addr, dst: Ipv4Addr, ifindex: u32) -> bool {
        self.protocol == protocol
            && hears(self.so.device(), ifindex)
            && (self.local.is_unspecified() || self.local == dst)
            && self.peer.is_none_or(|peer| peer == src)
    }
}

/// The raw and ping sockets of a kernel.
pub(crate) struct Raw {
    count: AtomicUsize,
    next_id: AtomicU64,
    // ---- counters ----
    pub(crate) delivered: Counter,
    pub(crate) full: Counter,
    pub(crate) sent: Counter,
    // ---- locked ----
    list: IntrMutex<KVec<Entry>>,
    /// Ping sockets, with identifiers for ports.
    pub(crate) pings: Pcbs,
    pub(crate) ids: Ephemeral,
}

/// At boot.
pub(crate) fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let raw = Raw {
        count: AtomicUsize::new(0),
        next_id: AtomicU64::new(0),
        delivered: Counter::new(),
        full: Counter::new(),
        sent: Counter::new(),
        list: IntrMutex::new(l, Rank::Pcbs, KVec::new(l)),
        pings: Pcbs::new(l),
        ids: Ephemeral::new(),
    };
    RAW.set(l, kmem::boxed(l, raw)?)
}

impl Raw {
    /// Calls `show` with each counter's name and value.
    pub(crate) fn each(&self, show: &mut dyn FnMut(&'static str, u64)) {
        show("delivered", self.delivered.get());
        show("full", self.full.get());
        show("sent", self.sent.get());
    }

    /// Whether there is no raw socket.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// The sockets.
    pub(crate) fn lock<'a>(&'a self, cx: &'a Cx<'_>) -> IntrGuard<'a, KVec<Entry>> {
        self.list.lock(cx)
    }

    /// Adds one; says how it is called here.
    pub(crate) fn insert(&self, cx: &Cx<'_>, so: &KArc<Socket>) -> Result<u64, SockError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (local, peer) = (Ipv4Addr::UNSPECIFIED, None);
        let entry = Entry { id, protocol: so.protocol(), local, peer, so: so.clone() };
        let mut list = self.list.lock(cx);
        list.push(entry)?;
        self.count.store(list.len(), Ordering::Relaxed);
        Ok(id)
    }

    /// Takes one out.
    pub(crate) fn remove(&self, cx: &Cx<'_>, id: u64) {
        let mut list = self.list.lock(cx);
        let at = list.iter().position(|e| e.id == id);
        let gone = at.map(|i| list.remove(i));
        self.count.store(list.len(), Ordering::Relaxed);
        drop(list);
        drop(gone);
    }

    /// Changes or reads one.
    pub(crate) fn with<R>(
        &self,
        cx: &Cx<'_>,
        id: u64,
        f: impl FnOnce(&mut Entry) -> R,
    ) -> Result<R, SockError> {
        let mut list = self.list.lock(cx);
        list.iter_mut().find(|e| e.id == id).map(f).ok_or(SockError::Closed)
    }
}
