//! Datagrams that arrive.
//!
//! * [`input`]: one for this kernel.  * [`error`]: what ICMP says about one of ours.
//!
//! Locking: `Rank::Pcbs` while sockets are looked for and datagrams put into them.
//! Sources: RFC 768; RFC 1122 §4.1.3; NetBSD udp_input.

use core::net::{SocketAddr, SocketAddrV4};

use base::Cx;
use net::Packet;
use net::mbuf::Flags;
use net::socket::Socket;

use super::pcbs::Inner;
use crate::checksum::{self, Sum};
use crate::component::{IGMP, UDP};
use crate::icmp::send::{Report, report};
use crate::icmp::{ErrorKind, QuotedFacts};
use crate::ip::Facts;
use crate::wire::icmp::code;
use crate::wire::igmp::ALL_HOSTS;
use crate::wire::ipv4::protocol;
use crate::wire::udp::{HEADER_LEN, UdpHeader};

/// Takes a datagram; the packet begins with its IP header, which is `ip_len` bytes long.
pub(crate) fn input(cx: &Cx<'_>, ip: &Facts, mut packet: Packet, ip_len: usize) {
    let udp = cx.get(&UDP);
    let counters = &udp.counters;
    counters.received.inc(cx);
    // RFC 1122 §4.1.3.6: a source that is not one host's has slipped through somewhere.
    if ip.src.is_broadcast() || ip.src.is_multicast() {
        return counters.bad_source.inc(cx);
    }
    let total = packet.len().saturating_sub(ip_len);
    let head = packet.pullup(ip_len + HEADER_LEN).unwrap_or_default();
    let Ok((&header, _)) = UdpHeader::parse(head.get(ip_len..).unwrap_or_default(), total) else {
        return counters.bad_length.inc(cx);
    };
    let flags = packet.flags();
    if !header.has_checksum() && !flags.contains(Flags::CSUM_BLANK) {
        // RFC 1122 §4.1.3.4: may be taken.
        counters.no_checksum.inc(cx);
    } else if !flags.is_sound() && !is_sound(ip, &header, &packet, ip_len) {
        // RFC 1122 §4.1.3.4: discarded silently.
        return counters.bad_checksum.inc(cx);
    }
    let inner = udp.pcbs.lock(cx);
    let from = SocketAddrV4::new(ip.src, header.src_port());
    if ip.to_everybody {
        packet.pull(ip_len + HEADER_LEN);
        packet.truncate(usize::from(header.len()) - HEADER_LEN);
        return to_all(cx, &inner, ip, from, header.dst_port(), &packet);
    }
    let Some(so) = inner.table.lookup(ip.dst, header.dst_port(), from, ip.ifindex) else {
        drop(inner);
        counters.no_port.inc(cx);
        return report(cx, packet, Report::Unreachable(code::PORT));
    };
    packet.pull(ip_len + HEADER_LEN);
    packet.truncate(usize::from(header.len()) - HEADER_LEN);
    if so.deliver(cx, packet, SocketAddr::V4(from), ip.way()) {
        counters.delivered.inc(cx);
    } else {
        counters.full.inc(cx);
    }
}

/// Whether the checksum is right; the first `ip_len` bytes are not under it.
fn is_sound(ip: &Facts, header: &UdpHeader, packet: &Packet, ip_len: usize) -> bool {
    let mut sum = checksum::pseudo(ip.src, ip.dst, protocol::UDP, header.len());
    sum.append(Sum::of_pieces(packet.segments(), ip_len, header.len().into()));
    sum.is_valid()
}

/// A copy to every socket that wants a datagram sent to everybody; no error if nobody does
/// (RFC 1122 §3.2.2).
fn to_all(cx: &Cx<'_>, inner: &Inner, ip: &Facts, from: SocketAddrV4, port: u16, packet: &Packet) {
    let counters = &cx.get(&UDP).counters;
    let mut nobody = true;
    // The group of all hosts is everybody's; of others a socket hears if it is in them.
    let index = packet.rcvif();
    let is_for_members = ip.dst.is_multicast() && ip.dst != ALL_HOSTS;
    let hears = |so: &Socket| !is_for_members || cx.get(&IGMP).has(cx, so, index, ip.dst);
    let matches = inner.table.matches(ip.dst, port, from, ip.ifindex);
    for so in matches.filter(|so| hears(so)) {
        nobody = false;
        let Ok(copy) = packet.duplicate(cx) else {
            counters.no_memory.inc(cx);
            continue;
        };
        if so.deliver(cx, copy, SocketAddr::V4(from), ip.way()) {
            counters.delivered.inc(cx);
        } else {
            counters.full.inc(cx);
        }
    }
    if nobody {
        counters.no_port_broadcast.inc(cx);
    }
}

/// An ICMP error about a datagram of ours: the socket that sent it hears of it (RFC 1122
/// §4.1.3.3), if it is connected, since others would not know which of their peers is meant.
pub(crate) fn error(cx: &Cx<'_>, kind: ErrorKind, quoted: &QuotedFacts<'_>) {
    let [s0, s1, d0, d1, ..] = quoted.transport else { return };
    let (from, to) = (u16::from_be_bytes([*s0, *s1]), u16::from_be_bytes([*d0, *d1]));
    let peer = SocketAddrV4::new(quoted.dst, to);
    let inner = cx.get(&UDP).pcbs.lock(cx);
    if let Some(so) = inner.table.connected(quoted.src, from, peer, quoted.ifindex) {
        so.set_error(cx, kind.into());
    }
}
