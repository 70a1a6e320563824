//! TCP's state in each kernel.
//!
//! Locking: tables by `Rank::Pcbs`; settings and counters are words.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use base::callout::{Callout, Handler};
use base::vm::kmem;
use base::{Cx, Errno, Lwp};

use super::tables::Tables;
use super::{listen, transmit};
use crate::component::TCP;
use crate::spaces::Spaces;

base::counter_group! {
    /// What TCP did.
    TcpCounters {
        /// Segments received.
        received,
        /// With a header that cannot be.
        bad_header,
        /// With a wrong checksum.
        bad_checksum,
        /// From or to an address that is not one host's.
        bad_address,
        /// For a port that nobody has.
        no_port,
        /// Segments sent.
        sent,
        /// Resets sent.
        resets_sent,
        /// Segments that could not be sent.
        send_errors,
        /// Dropped for lack of memory, or of room in a socket.
        no_memory,
        /// Connections begun by this side.
        connects,
        /// Connections begun by the other side.
        accepts,
        /// Connections made.
        established,
        /// Connections that failed.
        failed,
        /// Connections over.
        closed,
        /// SYNs that a listening socket had no room for.
        listen_full,
        /// SYN cookies sent.
        cookies_sent,
        /// Paths that did not carry full segments, and did not say so.
        black_holes,
    }
}

/// TCP's state.
pub(crate) struct Tcp {
    // ---- settings ----
    pub(crate) spaces: Spaces,
    ecn: AtomicU32,
    mtu_probing: AtomicBool,
    // ---- counters ----
    pub(crate) counters: TcpCounters,
    // ---- locked ----
    pub(crate) tables: Tables,
    /// For handshakes that listening sockets have begun.
    pub(crate) timer: Callout,
}

struct Handshakes;

impl Handler for Handshakes {
    fn expired(&self, cx: &Cx<'_>) {
        if cx.try_get(&TCP).is_some() {
            listen::expire(cx);
        }
    }
}

/// At boot.
pub(crate) fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let tcp = Tcp {
        spaces: Spaces::default(),
        ecn: AtomicU32::new(2),
        mtu_probing: AtomicBool::new(true),
        counters: TcpCounters::default(),
        tables: Tables::new(l),
        timer: Callout::new(l, kmem::arc(l, Handshakes)?)?,
    };
    TCP.set(l, kmem::boxed(l, tcp)?)
}

/// At the end: connections are forgotten, without a word to their peers.
pub(crate) fn detach(l: &mut Lwp<'_>) {
    let Some(tcp) = l.try_get(&TCP) else { return };
    tcp.timer.stop(l);
    while let Some(pcb) = tcp.tables.any_connection(l) {
        pcb.forget(l);
    }
}

impl Tcp {
    /// Congestion marks: 0 never, 1 asked for, 2 where the other side asks (Linux: tcp_ecn).
    pub(crate) fn ecn(&self) -> u32 {
        self.ecn.load(Ordering::Relaxed)
    }

    /// Sets it.
    pub(crate) fn set_ecn(&self, how: u32) {
        self.ecn.store(how, Ordering::Relaxed);
    }

    /// Whether connections find out what their paths carry (Linux: tcp_mtu_probing).
    pub(crate) fn mtu_probing(&self) -> bool {
        self.mtu_probing.load(Ordering::Relaxed)
    }

    /// Sets it, for connections to come.
    pub(crate) fn set_mtu_probing(&self, on: bool) {
        self.mtu_probing.store(on, Ordering::Relaxed);
    }
}

/// The largest segment on the way to `dst`, by `device` if it is not 0: what its interface carries,
/// less both headers (RFC 9293 §3.7.1).
pub(crate) fn mss_to(cx: &Cx<'_>, dst: core::net::Ipv4Addr, device: u32) -> u16 {
    let route = crate::ip::way::to_host(cx, dst, device);
    let local = |r: &net::route::Route| r.kind == net::route::RouteKind::Local;
    let mtu = match route {
        // To itself, a kernel talks over lo0.
        Some(r) if local(&r) => net::ifnet::config::find(cx, "lo0").map_or(576, |lo| lo.mtu()),
        Some(r) => r.ifp.mtu(),
        None => 576,
    };
    u16::try_from(mtu.saturating_sub(transmit::HEADERS)).unwrap_or(u16::MAX).max(64)
}
