//! Groups: who on this kernel is in which, and what routers are told of it.
//!
//! * [`groups`]: the protocol, of one interface.  * `members`: which sockets are in which groups;
//!   [`places`]: at whose cost.
//! * `input`: what others say.  * `run`: says what is due.  * `is_member`: what comes in.
//! * `interface_up` and its like: what becomes of interfaces.
//!
//! Locking: `Rank::Proto` for members and groups; none while a report is sent.
//! Sources: RFC 1112; RFC 2236; RFC 3376.

pub mod groups;
pub(crate) mod members;
pub mod places;

use core::net::Ipv4Addr;

use base::{Cx, Instant, KArc};
use net::ethernet::wire::MacAddr;
use net::ifnet::IfFlags;
use net::{EtherType, Ifnet, Packet, ethernet};
use zerocopy::IntoBytes;

use crate::arp;
use crate::checksum::Sum;
use crate::component::{IGMP, INET};
use crate::ip::Facts;
use crate::wire::igmp::{ALL_HOSTS, QUERY_V3_LEN, Received, Report};
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};

/// RFC 2113: routers shall look at the packet, though it is not for them.
const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];
/// RFC 3376 §4: internetwork control.
const TOS: u8 = 0xc0;

/// Whether packets for `group` on the interface with that index are for this kernel.
pub(crate) fn is_member(cx: &Cx<'_>, index: u32, group: Ipv4Addr) -> bool {
    // RFC 1112 §7.2: of this one, every host is a member.
    group == ALL_HOSTS || cx.get(&IGMP).is_member(cx, index, group)
}

/// Takes a message; the packet begins with its IP header, which is `ip_len` bytes long.
pub(crate) fn input(cx: &Cx<'_>, ip: &Facts, mut packet: Packet, ip_len: usize) {
    let igmp = cx.get(&IGMP);
    igmp.counters.received.inc(cx);
    let index = packet.rcvif();
    if index == 0 {
        return;
    }
    // RFC 3376 §4, §9.1: nobody beyond the link may ask.
    if ip.ttl != 1 {
        return igmp.counters.bad.inc(cx);
    }
    let len = packet.len().saturating_sub(ip_len);
    let sum = Sum::of_pieces(packet.segments(), ip_len, usize::MAX);
    let head = packet.pullup(ip_len + len.min(QUERY_V3_LEN)).unwrap_or_default();
    let received = Received::parse(head.get(ip_len..).unwrap_or_default(), len);
    let (true, Ok(received)) = (sum.is_valid(), received) else {
        return igmp.counters.bad.inc(cx);
    };
    let now = cx.now().nanos();
    let mut random = || base::random::u32(cx);
    match received {
        Received::Query(query) => {
            igmp.counters.queries.inc(cx);
            igmp.with_groups(cx, index, |groups| groups.query(&query, now, &mut random));
        }
        Received::Report(group) => {
            igmp.counters.reports_heard.inc(cx);
            igmp.with_groups(cx, index, |groups| groups.heard(group, now));
        }
        Received::Other => return,
    }
    run(cx);
}

/// Says what is due, and sets the timer.
pub(crate) fn run(cx: &Cx<'_>) {
    let igmp = cx.get(&IGMP);
    let now = cx.now().nanos();
    while let Some((ifp, report)) = igmp.poll(cx, now) {
        send(cx, &ifp, &report);
    }
    if let Some(next) = igmp.deadline(cx) {
        igmp.timer.schedule_by(cx, Instant::from_nanos(next));
    }
}

fn send(cx: &Cx<'_>, ifp: &KArc<Ifnet>, report: &Report) {
    let (igmp, inet) = (cx.get(&IGMP), cx.get(&INET));
    let (bytes, len) = report.write();
    let packet = Packet::from_slice(cx, bytes.get(..len).unwrap_or_default());
    let Ok(mut packet) = packet else { return igmp.counters.not_sent.inc(cx) };
    // RFC 3376 §4.2.13: without an address of its own, from none.
    let src = ifp.addrs(cx).iter().find_map(arp::local::of).map(|local| local.addr);
    let (src, dst) = (src.unwrap_or(Ipv4Addr::UNSPECIFIED), report.to());
    let total = (len + MIN_HEADER_LEN + ROUTER_ALERT.len()) as u16;
    let mut header = Ipv4Header::new(src, dst, protocol::IGMP, 1, total);
    header.tos = TOS;
    header.set_id(inet.new_id(cx));
    header.set_options_len(ROUTER_ALERT.len());
    header.set_checksum(&ROUTER_ALERT);
    for part in [ROUTER_ALERT.as_slice(), header.as_bytes()] {
        let Some(room) = packet.push(part.len()) else { return igmp.counters.not_sent.inc(cx) };
        room.copy_from_slice(part);
    }
    inet.ip.sent.inc(cx);
    let mac = MacAddr::ipv4_multicast(dst);
    match ethernet::output(cx, ifp, mac, EtherType::IPV4, packet) {
        Ok(()) => igmp.counters.reports_sent.inc(cx),
        Err(_) => igmp.counters.not_sent.inc(cx),
    }
}

/// The interface is up (again): whoever is on its link now hears of its groups.
pub(crate) fn interface_up(cx: &Cx<'_>, ifp: &Ifnet) {
    let now = cx.now().nanos();
    if ifp.flags().contains(IfFlags::UP)
        && cx.get(&IGMP).with_groups(cx, ifp.index(), |groups| groups.announce(now))
    {
        run(cx);
    }
}

/// It was taken down.
pub(crate) fn interface_down(cx: &Cx<'_>, ifp: &Ifnet) {
    cx.get(&IGMP).with_groups(cx, ifp.index(), |groups| groups.silence());
}

/// It is going, or has no address any more: so do all memberships on it.
pub(crate) fn interface_gone(cx: &Cx<'_>, ifp: &Ifnet) {
    if let Some(igmp) = cx.try_get(&IGMP) {
        igmp.remove_interface(cx, ifp.index());
    }
}
