//! ICMP messages for this kernel.
//!
//! Locking: none held. Sources: RFC 792; RFC 1122 §3.2.2.

use base::Cx;
use net::Packet;
use zerocopy::{FromBytes, IntoBytes};

use super::{ErrorKind, QuotedFacts};
use crate::checksum::Sum;
use crate::component::INET;
use crate::ip::forward::ms_of_day;
use crate::ip::way::Out;
use crate::ip::{Facts, options, output};
use crate::wire::icmp::{HEADER_LEN, IcmpHeader, Message, code};
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};
use crate::{raw, tcp, udp};

/// The most of a quoted packet that is looked at: header with options, and eight bytes.
const QUOTE: usize = 68;

/// Takes a message, IP header included.
pub(crate) fn input(cx: &Cx<'_>, ip: &Facts, mut packet: Packet, header_len: usize) {
    let counters = &cx.get(&INET).icmp;
    counters.received.inc(cx);
    let len = packet.len().saturating_sub(header_len);
    let sum = Sum::of_pieces(packet.segments(), header_len, usize::MAX);
    let head_len = header_len + len.min(HEADER_LEN + QUOTE);
    let Some(head) = packet.pullup(head_len) else { return counters.bad.inc(cx) };
    let message = head.get_mut(header_len..).unwrap_or_default();
    let Ok((icmp, rest)) = IcmpHeader::parse_summed(message, sum) else {
        return counters.bad.inc(cx);
    };
    match icmp.message() {
        Message::Echo { reply: false, .. } => echo(cx, ip, packet, header_len),
        Message::Unreachable { code, mtu } => {
            let kind = match code {
                code::NET => ErrorKind::NetUnreachable,
                code::PROTOCOL => ErrorKind::ProtocolUnreachable,
                code::PORT => ErrorKind::PortUnreachable,
                code::FRAGMENTATION_NEEDED => ErrorKind::TooBig { mtu },
                code::PROHIBITED | 9 | 10 => ErrorKind::Prohibited,
                _ => ErrorKind::HostUnreachable,
            };
            error(cx, ip, kind, rest);
        }
        Message::TimeExceeded { .. } => error(cx, ip, ErrorKind::TimeExceeded, rest),
        Message::ParameterProblem { .. } => error(cx, ip, ErrorKind::ParameterProblem, rest),
        // Replies, and what we do not know, are for raw sockets, which have seen it.
        Message::Echo { .. } | Message::Other => {}
    }
}

/// Answers an echo request: the same packet, turned round.
fn echo(cx: &Cx<'_>, ip: &Facts, mut packet: Packet, header_len: usize) {
    let inet = cx.get(&INET);
    // RFC 1122 §3.2.2.6 leaves echoes to everybody to us; they are an amplifier: not answered.
    if ip.to_everybody {
        return inet.icmp.errors_silent.inc(cx);
    }
    let Some(head) = packet.pullup(header_len + HEADER_LEN) else { return };
    let Some((ip_part, icmp_part)) = head.split_at_mut_checked(header_len) else { return };
    if let Ok((icmp, _)) = IcmpHeader::mut_from_prefix(icmp_part) {
        icmp.turn_into_reply();
    }
    let Some((fixed, opts)) = ip_part.split_at_mut_checked(MIN_HEADER_LEN) else { return };
    let Ok((header, _)) = Ipv4Header::mut_from_prefix(fixed.as_mut_bytes()) else { return };
    // RFC 1122 §3.2.2.6: from the address that the request was for.
    header.set_dst(ip.src);
    header.set_src(ip.dst);
    header.ttl = 255;
    header.set_id(inet.new_id(cx));
    header.set_fragment(0, false);
    header.set_dont_fragment(false);
    // Options that record are recorded into once more (RFC 1122 §3.2.2.6).
    if !opts.is_empty() && options::forward(opts, ip.dst, ms_of_day(cx)).is_err() {
        return;
    }
    header.set_checksum(opts);
    inet.icmp.echoed.inc(cx);
    packet.set_rcvif(0);
    let _ = output::send_whole(cx, packet, false, Out::default());
}

/// An error about a packet of ours.
fn error(cx: &Cx<'_>, ip: &Facts, kind: ErrorKind, quote: &[u8]) {
    let counters = &cx.get(&INET).icmp;
    counters.errors_received.inc(cx);
    let Ok((view, transport)) = Ipv4Header::parse_quoted(quote) else {
        return counters.bad.inc(cx);
    };
    // RFC 1122 §3.2.2: what comes back has at least eight bytes of the payload.
    if transport.len() < 8 || view.header.fragment_offset() != 0 {
        return;
    }
    let quoted = QuotedFacts {
        src: view.header.src(),
        dst: view.header.dst(),
        protocol: view.header.protocol,
        ifindex: ip.ifindex,
        transport,
    };
    match quoted.protocol {
        protocol::UDP => udp::error(cx, kind, &quoted),
        protocol::TCP => tcp::error(cx, kind, &quoted),
        _ => {}
    }
    raw::error(cx, kind, &quoted);
}
