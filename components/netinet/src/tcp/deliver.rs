//! Segments that arrive.
//!
//! * [`input`]: one for this kernel.  * [`error`]: what ICMP says about one of ours.
//!
//! Locking: `Rank::Pcbs` while a connection is looked for, then `Rank::Connection`.
//! Sources: RFC 9293 §3.10.7, §3.9.2; RFC 1122 §4.2.3.9, §4.2.3.10; RFC 1191 §6; RFC 5927 §4.

use core::net::SocketAddrV4;

use base::Cx;
use net::Packet;
use net::mbuf::Flags;

use super::header::{Control, HEADER_LEN, Segment, TcpHeader};
use super::isn::Pair;
use super::seq::Seq;
use super::state::State;
use super::{ecn, listen, reset_for, transmit};
use crate::checksum::{self, Sum};
use crate::component::TCP;
use crate::icmp::{ErrorKind, QuotedFacts};
use crate::ip::Facts;
use crate::wire::ipv4::protocol;

/// Sizes of links, for routers that do not say theirs (RFC 1191 §7).
const PLATEAUS: [u32; 8] = [17_914, 8166, 4352, 2002, 1492, 1006, 508, 296];

/// Takes a segment; the packet begins with its IP header, which is `ip_len` bytes long.
pub(crate) fn input(cx: &Cx<'_>, ip: &Facts, mut packet: Packet, ip_len: usize) {
    let counters = &cx.get(&TCP).counters;
    counters.received.inc(cx);
    // RFC 9293 §3.9.2.3: only between two hosts.
    if ip.to_everybody || ip.src.is_broadcast() || ip.src.is_multicast() {
        return counters.bad_address.inc(cx);
    }
    let Some((pair, seg, data_at)) = parse(&mut packet, ip, ip_len) else {
        return counters.bad_header.inc(cx);
    };
    if !packet.flags().is_sound() && !is_sound(ip, &packet, ip_len) {
        return counters.bad_checksum.inc(cx);
    }
    packet.pull(data_at);
    packet.set_rcvif(0);
    packet.set_flags(Flags::empty());
    dispatch(cx, &pair, ip.ifindex, &seg, packet);
}

fn parse(packet: &mut Packet, ip: &Facts, ip_len: usize) -> Option<(Pair, Segment, usize)> {
    let total = packet.len().checked_sub(ip_len)?;
    let first = packet.pullup(ip_len + HEADER_LEN)?;
    let len = first.get(ip_len + 12).map(|b| usize::from(b >> 4) * 4)?;
    let head = packet.pullup(ip_len + len.max(HEADER_LEN))?;
    let (header, options) = TcpHeader::parse(head.get(ip_len..)?, total).ok()?;
    let pair = Pair {
        local: SocketAddrV4::new(ip.dst, header.dst_port()),
        peer: SocketAddrV4::new(ip.src, header.src_port()),
    };
    let mut seg = header.segment(options, total - len);
    seg.ecn = ip.tos & ecn::MASK;
    Some((pair, seg, ip_len + len))
}

fn is_sound(ip: &Facts, packet: &Packet, ip_len: usize) -> bool {
    let len = u16::try_from(packet.len() - ip_len).unwrap_or(u16::MAX);
    let mut sum = checksum::pseudo(ip.src, ip.dst, protocol::TCP, len);
    sum.append(Sum::of_pieces(packet.segments(), ip_len, usize::MAX));
    sum.is_valid()
}

/// A segment that arrived on the interface with the index `at`.
fn dispatch(cx: &Cx<'_>, pair: &Pair, at: u32, seg: &Segment, data: Packet) {
    let tcp = cx.get(&TCP);
    let inner = tcp.tables.lock(cx);
    let Some(pcb) = inner.connection(pair, at).cloned() else {
        drop(inner);
        return listen::input(cx, pair, at, seg, data, None);
    };
    drop(inner);
    let opens = seg.has(Control::SYN) && !seg.has(Control::ACK);
    if opens && let Some(floor) = reusable(cx, &pcb, seg) {
        // RFC 6191, RFC 9293 §3.10.7.4: a new connection in the place of one that is over.
        pcb.forget(cx);
        return listen::input(cx, pair, at, seg, data, Some(floor));
    }
    pcb.segment(cx, seg, data);
}

/// Where the numbers of a new connection must begin that takes the place of one in TIME-WAIT.
fn reusable(cx: &Cx<'_>, pcb: &super::pcb::TcpPcb, syn: &Segment) -> Option<Seq> {
    let inner = pcb.inner.lock(cx);
    let tcb = inner.tcb.as_ref()?;
    tcb.may_be_reused_by(syn).then(|| tcb.next_iss())
}

/// Nobody has the port.
pub(crate) fn refuse(cx: &Cx<'_>, pair: &Pair, seg: &Segment) {
    cx.get(&TCP).counters.no_port.inc(cx);
    if let Some(reset) = reset_for(seg) {
        // As routes say: who is nobody is bound to no interface (Linux: tcp_v4_send_reset).
        transmit::reply(cx, pair, 0, &reset);
    }
}

/// An ICMP error about a segment of ours.
pub(crate) fn error(cx: &Cx<'_>, kind: ErrorKind, quoted: &QuotedFacts<'_>) {
    let Some(&[s0, s1, d0, d1, q0, q1, q2, q3]) = quoted.transport.first_chunk::<8>() else {
        return;
    };
    let (from, to) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let seq = Seq(u32::from_be_bytes([q0, q1, q2, q3]));
    let pair = Pair {
        local: SocketAddrV4::new(quoted.src, from),
        peer: SocketAddrV4::new(quoted.dst, to),
    };
    let pcb = cx.get(&TCP).tables.lock(cx).connection(&pair, quoted.ifindex).cloned();
    let Some(pcb) = pcb else { return };
    let fatal = pcb.run(cx, |tcb, _| {
        // RFC 5927 §4.1: about something that is on its way now.
        let mut fatal = false;
        if tcb.is_outstanding(seq) {
            let opening = matches!(tcb.state(), State::SynSent | State::SynReceived);
            match kind {
                ErrorKind::TooBig { mtu } => {
                    let now = u32::from(tcb.info().mss) + transmit::HEADERS;
                    let smaller = PLATEAUS.into_iter().find(|p| *p < now).unwrap_or(68);
                    tcb.narrow(if mtu == 0 { smaller } else { mtu.into() });
                }
                // RFC 5927 §5.2: what is made already is not undone by a message that anybody may
                // send; what is being made is, as RFC 5461 §3 allows: the program hears why.
                _ if opening => {
                    fatal = true;
                    tcb.abort();
                }
                _ => {}
            }
        }
        (fatal, None)
    });
    if fatal == Some(true) {
        pcb.so.set_error(cx, kind.into());
    }
}
