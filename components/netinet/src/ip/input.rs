//! IPv4 packets from a link.
//!
//! One look into the routing table says what a packet is: for this kernel, for everybody on a
//! link, or for others.
//!
//! Locking: none held while a packet is passed on.
//! Sources: RFC 791 §3.1; RFC 1122 §3.2.1; RFC 1812 §4.2, §5.2, §5.3.7; NetBSD ip_input.c.

use core::net::Ipv4Addr;

use base::Cx;
use net::Packet;
use net::ifnet::IfFlags;
use net::mbuf::Flags;
use net::route::{Route, RouteKind, kind_of, with_route};
use zerocopy::FromBytes;

use super::options::{self, Refused};
use super::{Facts, forward, fragments};
use crate::component::INET;
use crate::icmp::send::{Report, report};
use crate::wire::icmp::code;
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};
use crate::{icmp, igmp, raw, tcp, udp};

/// Takes a packet; link headers are off.
pub(crate) fn input(cx: &Cx<'_>, mut packet: Packet) {
    let inet = cx.get(&INET);
    inet.ip.received.inc(cx);
    let len = packet.len();
    let Some(first) = packet.pullup(MIN_HEADER_LEN).and_then(|h| h.first().copied()) else {
        return inet.ip.bad_header.inc(cx);
    };
    let Some(head) = packet.pullup(Ipv4Header::contiguous(first)) else {
        return inet.ip.bad_header.inc(cx);
    };
    let Ok(view) = Ipv4Header::parse(head, len) else {
        return inet.ip.bad_header.inc(cx);
    };
    let (header, total_len, has_options) = (*view.header, view.total_len, !view.options.is_empty());
    // What the link padded (RFC 894) is not the packet's.
    packet.truncate(total_len);

    let (src, dst) = (header.src(), header.dst());
    if !may_come_in(&packet, src, dst) {
        return inet.ip.bad_address.inc(cx);
    }
    if has_options && let Err(refused) = check_options(&packet, header.header_len()) {
        inet.ip.bad_options.inc(cx);
        return refuse_options(cx, packet, refused);
    }
    if dst.is_multicast() || dst.is_broadcast() {
        return for_group(cx, packet, &header);
    }
    // Only who passes it on needs the interface.
    let way = with_route(cx, dst, |route| match route.kind {
        RouteKind::Local => Way::Here(arrival(&packet, route)),
        RouteKind::Broadcast if is_on(&packet, route.ifp.index()) => Way::Everybody,
        _ => Way::On(route.clone()),
    });
    match way {
        // RFC 1122 §3.3.6: what the link brought to many is for a group or for everybody, or not
        // looked at.
        Some(Way::Here(_)) if from_link_to_many(&packet) => inet.ip.bad_address.inc(cx),
        Some(Way::Here(at)) => deliver(cx, packet, &header, at, false),
        Some(Way::Everybody) => {
            let at = packet.rcvif();
            deliver(cx, packet, &header, at, true);
        }
        Some(Way::On(route)) => forward::forward(cx, packet, route),
        None => forward::without_route(cx, packet),
    }
}

/// Where a packet goes.
enum Way {
    /// To this kernel, at the interface with that index.
    Here(u32),
    /// To everybody on the link that it came from.
    Everybody,
    /// On, along this route.
    On(Route),
}

/// The index of the interface that a packet for this kernel arrived on. What the kernel sends to itself
/// arrives at the interface that has the address, not at lo0, as on Linux.
#[inline]
fn arrival(packet: &Packet, route: &Route) -> u32 {
    let looped = packet.flags().contains(Flags::LOOPED);
    if looped { route.ifp.index() } else { packet.rcvif() }
}

/// Whether addresses are such that the packet may be looked at further.
#[inline]
fn may_come_in(packet: &Packet, src: Ipv4Addr, dst: Ipv4Addr) -> bool {
    let looped = packet.flags().contains(Flags::LOOPED);
    let (s, d) = (src.octets()[0], dst.octets()[0]);
    // RFC 1122 §3.2.1.3 (g): loopback addresses do not appear outside of a host.
    // RFC 1812 §5.3.7: a source is one host (or, of a host that knows no better, zero); nobody is
    // at network zero, nor in class E but for the broadcast address.
    looped || (s != 127 && d != 127 && s < 224 && d != 0 && (d < 240 || dst.is_broadcast()))
}

fn from_link_to_many(packet: &Packet) -> bool {
    packet.flags().intersects(Flags::LINK_BROADCAST | Flags::LINK_MULTICAST)
}

fn is_on(packet: &Packet, index: u32) -> bool {
    packet.flags().contains(Flags::LOOPED) || packet.rcvif() == index
}

/// A packet for a group, or for everybody: never passed on (RFC 1812 §5.3.4, §5.3.5.1).
fn for_group(cx: &Cx<'_>, packet: Packet, header: &Ipv4Header) {
    let (dst, index) = (header.dst(), packet.rcvif());
    if dst.is_broadcast() || igmp::is_member(cx, index, dst) {
        deliver(cx, packet, header, index, true);
    } else {
        cx.get(&INET).ip.not_member.inc(cx);
    }
}

/// Options as the packet carries them; the header is contiguous.
fn check_options(packet: &Packet, header_len: usize) -> Result<(), Refused> {
    options::check(packet.head().get(MIN_HEADER_LEN..header_len).unwrap_or_default())
}

/// Says what is wrong with the options.
pub(super) fn refuse_options(cx: &Cx<'_>, packet: Packet, refused: Refused) {
    let about = match refused {
        Refused::Problem(at) => Report::ParameterProblem(at),
        Refused::SourceRoute => Report::Unreachable(code::SOURCE_ROUTE),
    };
    report(cx, packet, about);
}

/// Whether `src` is everybody on a network that we are on: a source is one host (RFC 1122 §3.2.1.3,
/// RFC 1812 §5.3.7).
#[inline]
pub(super) fn is_everybody(cx: &Cx<'_>, src: Ipv4Addr) -> bool {
    // A host's part, of two bits at least, that is all zeros or all ones: every other packet is spared
    // another look at the table.
    let [.., last] = src.octets();
    let may_be = matches!(last & 3, 0 | 3);
    may_be && kind_of(cx, src) == Some(RouteKind::Broadcast)
}

/// A packet for this kernel, which arrived on the interface with the index `at`.
pub(super) fn deliver(
    cx: &Cx<'_>,
    mut packet: Packet,
    header: &Ipv4Header,
    at: u32,
    to_everybody: bool,
) {
    if !packet.flags().contains(Flags::LOOPED) && is_everybody(cx, header.src()) {
        return cx.get(&INET).ip.bad_address.inc(cx);
    }
    packet.set_rcvif(at);
    if header.is_fragment() {
        // RFC 791: put together where it ends, and only there.
        if let Some(whole) = fragments::input(cx, packet, header)
            && let Ok((header, _)) = Ipv4Header::read_from_prefix(whole.head())
        {
            dispatch(cx, whole, &header, at, to_everybody);
        }
        return;
    }
    dispatch(cx, packet, header, at, to_everybody);
}

fn dispatch(cx: &Cx<'_>, packet: Packet, header: &Ipv4Header, at: u32, to_everybody: bool) {
    let inet = cx.get(&INET);
    let facts = Facts {
        src: header.src(),
        dst: header.dst(),
        protocol: header.protocol,
        ttl: header.ttl,
        tos: header.tos,
        ifindex: at,
        to_everybody: to_everybody || from_link_to_many(&packet),
    };
    inet.ip.delivered.inc(cx);
    let taken = raw::input(cx, &facts, &packet, header.header_len());
    match header.protocol {
        protocol::ICMP => icmp::input::input(cx, &facts, packet, header.header_len()),
        protocol::IGMP => igmp::input(cx, &facts, packet, header.header_len()),
        protocol::TCP => tcp::input_packet(cx, &facts, packet, header.header_len()),
        protocol::UDP => udp::input(cx, &facts, packet, header.header_len()),
        _ if taken => {}
        _ => {
            // RFC 1122 §3.2.2.1: protocol unreachable.
            inet.ip.no_protocol.inc(cx);
            report(cx, packet, Report::Unreachable(code::PROTOCOL));
        }
    }
}

/// Whether an interface takes part in broadcasts.
pub(super) fn can_broadcast(flags: IfFlags) -> bool {
    flags.contains(IfFlags::UP | IfFlags::BROADCAST)
}
