//! Sending to a neighbour: the link address is known, or asked for.
//!
//! Locking: `Rank::Arp`, let go before anything is sent.
//! Sources: RFC 826; RFC 1122 §2.3.2.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use base::{Cx, KArc};
use net::ethernet::{self, wire::MacAddr};
use net::ifnet::{IfError, IfFlags};
use net::{EtherType, Ifnet, Packet};
use zerocopy::IntoBytes;

use super::cache::{Action, Resolve, Why};
use crate::component::INET;
use crate::icmp::send::{Report, report};
use crate::ip::output::SendError;
use crate::timer;
use crate::wire::arp::ArpPacket;
use crate::wire::icmp::code;

/// Sends an IPv4 packet to the neighbour `next_hop` on `ifp`; it may wait for the link address.
#[inline]
pub(crate) fn send(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    next_hop: Ipv4Addr,
    packet: Packet,
) -> Result<(), SendError> {
    let now = cx.coarse_now().nanos();
    let known = {
        let mut arp = cx.get(&INET).arp.lock(cx);
        arp.get(ifp.index()).and_then(|a| a.cache.lookup(next_hop, now))
    };
    match known {
        Some(mac) => Ok(ethernet::output(cx, ifp, mac, EtherType::IPV4, packet)?),
        None => send_slow(cx, ifp, next_hop, packet),
    }
}

#[cold]
fn send_slow(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    next_hop: Ipv4Addr,
    packet: Packet,
) -> Result<(), SendError> {
    let inet = cx.get(&INET);
    if !ifp.flags().contains(IfFlags::UP) {
        ifp.counters.oerrors.inc(cx);
        return Err(SendError::Interface(IfError::Down));
    }
    let mut arp = inet.arp.lock(cx);
    let Some(a) = arp.get(ifp.index()) else { return Err(SendError::NoRoute) };
    let cost = a.cache.resolve_cost(next_hop);
    if a.may_grow(cost).is_err() {
        inet.arp_counters.dropped.inc(cx);
        return Err(SendError::NoMemory);
    }
    let outcome = a.cache.resolve(next_hop, cx.now().nanos(), packet);
    let deadline = a.cache.next_deadline();
    drop(arp);
    if let Some(deadline) = deadline {
        timer::by(cx, deadline);
    }
    match outcome {
        Resolve::Send(mac, packet) => Ok(ethernet::output(cx, ifp, mac, EtherType::IPV4, packet)?),
        Resolve::SendAndProbe(mac, packet) => {
            request(cx, ifp, next_hop, mac);
            Ok(ethernet::output(cx, ifp, mac, EtherType::IPV4, packet)?)
        }
        Resolve::Query => {
            inet.arp_counters.held.inc(cx);
            request(cx, ifp, next_hop, MacAddr::BROADCAST);
            Ok(())
        }
        Resolve::Held => {
            inet.arp_counters.held.inc(cx);
            Ok(())
        }
        Resolve::Dropped(packet, why) => {
            inet.arp_counters.dropped.inc(cx);
            match why {
                // Another packet's place was given to this one.
                Why::Displaced => Ok(()),
                Why::Down => {
                    report(cx, packet, Report::Unreachable(code::HOST));
                    Err(SendError::HostDown)
                }
                Why::Full => Err(SendError::NoMemory),
                Why::NotUnicast => Err(SendError::NoRoute),
            }
        }
    }
}

/// Asks who has `ip`: everybody, or the one who had it.
fn request(cx: &Cx<'_>, ifp: &KArc<Ifnet>, ip: Ipv4Addr, to: MacAddr) {
    cx.get(&INET).arp_counters.requests_sent.inc(cx);
    let source = source_for(cx, ifp, ip);
    transmit(cx, ifp, to, ArpPacket::request(ifp.lladdr(), source, ip));
}

/// The address of ours that the neighbour knows: one of its network (RFC 826 leaves it open).
fn source_for(cx: &Cx<'_>, ifp: &Ifnet, ip: Ipv4Addr) -> Ipv4Addr {
    let addrs = ifp.addrs(cx);
    let v4 = addrs.iter().filter_map(super::local::of);
    let near = v4.clone().find(|local| local.is_on_link(ip));
    near.or_else(|| v4.clone().next()).map_or(Ipv4Addr::UNSPECIFIED, |local| local.addr)
}

/// Tells everybody on the link that `addr` is here (RFC 5227 §2.3).
pub(crate) fn announce(cx: &Cx<'_>, ifp: &KArc<Ifnet>, addr: Ipv4Addr) {
    transmit(cx, ifp, MacAddr::BROADCAST, ArpPacket::announcement(ifp.lladdr(), addr));
}

/// Sends an ARP packet. What cannot be sent is lost: ARP asks again.
pub(super) fn transmit(cx: &Cx<'_>, ifp: &KArc<Ifnet>, to: MacAddr, arp: ArpPacket) {
    if let Ok(packet) = Packet::from_slice(cx, arp.as_bytes()) {
        let _ = ethernet::output(cx, ifp, to, EtherType::ARP, packet);
    }
}

enum Due {
    Query(KArc<Ifnet>, Ipv4Addr),
    Unreachable(Vec<Packet>),
}

/// Asks again, and gives up, where it is time. What the budget leaves is due when the timer fires
/// again, which is at once.
pub(crate) fn expire(cx: &Cx<'_>, now: u64) {
    let mut at = 0;
    while cx.spend() {
        let due = {
            let mut arp = cx.get(&INET).arp.lock(cx);
            let next = arp.iter_mut().enumerate().skip(at).find_map(|(i, a)| {
                let action = a.cache.expire(now)?;
                let due = match action {
                    Action::Query(ip) => Due::Query(a.ifp.clone(), ip),
                    Action::Unreachable(_, packets) => Due::Unreachable(packets),
                };
                Some((i, due))
            });
            next.map(|(i, due)| {
                at = i;
                due
            })
        };
        match due {
            None => return,
            Some(Due::Query(ifp, ip)) => request(cx, &ifp, ip, MacAddr::BROADCAST),
            Some(Due::Unreachable(packets)) => {
                for packet in packets {
                    cx.get(&INET).arp_counters.dropped.inc(cx);
                    report(cx, packet, Report::Unreachable(code::HOST));
                }
            }
        }
    }
}
