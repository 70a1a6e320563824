//! Raw sockets: IPv4 packets as they are; and ping sockets: ICMP echo for everybody.
//!
//! * [`input`]: shows each packet for this kernel to the sockets that want it.
//! * [`error`]: what ICMP says about a packet of ours.
//! * [`usrreq`]: what calls on a raw socket do.  * [`ping`]: the same for ping sockets.
//! * [`state`]: which raw sockets there are.
//!
//! Locking: `Rank::Pcbs`, held while packets are put into sockets.
//! Sources: NetBSD raw_ip.c; Linux raw(7), icmp(7).

pub(crate) mod ping;
pub(crate) mod state;
pub(crate) mod usrreq;

use core::net::SocketAddr;

use base::Cx;
use net::Packet;

use crate::component::RAW;
use crate::icmp::{ErrorKind, QuotedFacts};
use crate::ip::Facts;
use crate::wire::ipv4::protocol;

/// Shows a packet, whose IP header is `header_len` bytes long, to the sockets that want it; true
/// if there was one.
pub(crate) fn input(cx: &Cx<'_>, ip: &Facts, packet: &Packet, header_len: usize) -> bool {
    let raw = cx.get(&RAW);
    let ping = ip.protocol == protocol::ICMP && ping::input(cx, ip, packet, header_len);
    if raw.is_empty() {
        return ping;
    }
    let mut taken = ping;
    let table = raw.lock(cx);
    for entry in table.iter().filter(|e| e.wants(ip.protocol, ip.src, ip.dst, ip.ifindex)) {
        taken = true;
        // A copy that cannot be made is a packet lost, which IP allows.
        let delivered = packet
            .duplicate(cx)
            .is_ok_and(|copy| entry.so.deliver(cx, copy, SocketAddr::from((ip.src, 0)), ip.way()));
        let counter = if delivered { &raw.delivered } else { &raw.full };
        counter.inc(cx);
    }
    taken
}

/// An ICMP error about a packet of ours: connected sockets hear of it.
pub(crate) fn error(cx: &Cx<'_>, kind: ErrorKind, quoted: &QuotedFacts<'_>) {
    let raw = cx.get(&RAW);
    if quoted.protocol == protocol::ICMP {
        ping::error(cx, kind, quoted);
    }
    if raw.is_empty() {
        return;
    }
    for entry in raw.lock(cx).iter() {
        let is_its = entry.wants(quoted.protocol, quoted.dst, quoted.src, quoted.ifindex);
        if entry.peer == Some(quoted.dst) && is_its {
            entry.so.set_error(cx, kind.into());
        }
    }
}
