//! Forwarding: packets that are for others.
//!
//! Locking: none held. Sources: RFC 1812 §5.2, §5.3; RFC 1191 §4; NetBSD ip_forward.

use base::Cx;
use net::Packet;
use net::ifnet::IfFlags;
use net::mbuf::Flags;
use net::route::{Route, RouteKind};
use zerocopy::{FromBytes, IntoBytes};

use super::finish::longest;
use super::input::{is_everybody, refuse_options};
use super::options;
use super::output::{SendError, send_in_pieces, send_on};
use crate::component::INET;
use crate::icmp::send::{Report, report};
use crate::wire::icmp::code;
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN};

/// Passes a packet on along `route`.
#[inline]
pub(super) fn forward(cx: &Cx<'_>, mut packet: Packet, route: Route) {
    let inet = cx.get(&INET);
    let on_link = Flags::LINK_BROADCAST | Flags::LINK_MULTICAST;
    // RFC 1812 §5.3.4: what the link brought to many is not passed on.
    if !inet.forwarding() || packet.flags().intersects(on_link) {
        return inet.ip.cant_forward.inc(cx);
    }
    let next_hop = match route.kind {
        RouteKind::Gateway(g) => Some(g),
        RouteKind::Connected => None,
        RouteKind::Reject => {
            inet.ip.no_route.inc(cx);
            return report(cx, packet, Report::Unreachable(code::PROHIBITED));
        }
        // RFC 1812 §5.3.5.2: broadcasts directed at a network are not passed on.
        RouteKind::Blackhole | RouteKind::Broadcast | RouteKind::Local => {
            return inet.ip.cant_forward.inc(cx);
        }
    };
    let Ok((header, _)) = Ipv4Header::mut_from_prefix(packet.head_mut()) else {
        return inet.ip.bad_header.inc(cx);
    };
    // RFC 1812 §5.2.7.2: nothing from or to loopback or network zero leaves a router.
    if header.src().is_loopback() || header.src().octets()[0] == 0 {
        return inet.ip.bad_address.inc(cx);
    }
    if is_everybody(cx, header.src()) {
        return inet.ip.bad_address.inc(cx);
    }
    let (dst, header_len) = (header.dst(), header.header_len());
    if header.ttl <= 1 {
        return report(cx, packet, Report::TimeExceeded(code::TTL));
    }
    if !route.ifp.flags().contains(IfFlags::UP) {
        return way_is_down(cx, packet, next_hop.is_some());
    }
    if header_len > MIN_HEADER_LEN && !record(cx, &mut packet, &route, header_len) {
        inet.ip.bad_options.inc(cx);
        return;
    }
    if let Ok((header, _)) = Ipv4Header::mut_from_prefix(packet.head_mut()) {
        // Not below one: seen above.
        let _ = header.decrement_ttl();
    }
    inet.ip.forwarded.inc(cx);
    let mtu = route.ifp.mtu();
    if longest(&mut packet) <= mtu as usize {
        // The usual way: nobody wants the packet back.
        let _ = send_on(cx, &route.ifp, next_hop.unwrap_or(dst), packet);
        return;
    }
    let send = &mut |part| send_on(cx, &route.ifp, next_hop.unwrap_or(dst), part);
    match send_in_pieces(cx, mtu, packet, send) {
        Ok(()) => {}
        Err((SendError::TooBig { mtu }, Some(packet))) => {
            // RFC 1191 §4: with the MTU of the link that it did not fit.
            inet.ip.cant_fragment.inc(cx);
            report(cx, packet, Report::TooBig(mtu));
        }
        Err(_) => inet.ip.no_memory.inc(cx),
    }
}

/// A packet for a destination that no route leads to.
#[cold]
pub(super) fn without_route(cx: &Cx<'_>, packet: Packet) {
    let inet = cx.get(&INET);
    if !inet.forwarding() {
        return inet.ip.cant_forward.inc(cx);
    }
    inet.ip.no_route.inc(cx);
    // RFC 1812 §5.2.7.1: network unreachable, if there is no route, not even a default.
    report(cx, packet, Report::Unreachable(code::NET));
}

/// A packet whose route leads out of an interface that is down.
#[cold]
fn way_is_down(cx: &Cx<'_>, packet: Packet, is_behind_gateway: bool) {
    cx.get(&INET).ip.no_route.inc(cx);
    // RFC 1812 §5.2.7.1: the last router knows of the host, others of the network.
    let code = if is_behind_gateway { code::NET } else { code::HOST };
    report(cx, packet, Report::Unreachable(code));
}

/// Records us in the options that ask for it; false if they are refused, which was then said.
#[cold]
fn record(cx: &Cx<'_>, packet: &mut Packet, route: &Route, header_len: usize) -> bool {
    let Some(header) = packet.pullup(header_len) else { return false };
    let Some((fixed, opts)) = header.split_at_mut_checked(MIN_HEADER_LEN) else { return false };
    match options::forward(opts, route.source, ms_of_day(cx)) {
        Ok(false) => true,
        Ok(true) => {
            if let Ok((h, _)) = Ipv4Header::mut_from_prefix(fixed.as_mut_bytes()) {
                h.set_checksum(opts);
            }
            true
        }
        Err(refused) => {
            if let Ok(copy) = packet.duplicate(cx) {
                refuse_options(cx, copy, refused);
            }
            false
        }
    }
}

/// Milliseconds since midnight UT (RFC 791 p. 22).
pub(crate) fn ms_of_day(cx: &Cx<'_>) -> u32 {
    let wall = cx.host().wall();
    let seconds = wall.seconds.rem_euclid(86_400) as u32;
    seconds * 1000 + wall.nanoseconds / 1_000_000
}
