//! ARP packets from the link.
//!
//! Locking: `Rank::Ifaddrs`, then `Rank::Arp`; both let go before anything is sent.
//! Sources: RFC 826; RFC 5227.

use base::{Cx, kprintf};
use net::ifnet::config;
use net::{EtherType, Packet, ethernet};
use smallvec::SmallVec;

use super::cache::Learnt;
use super::local::{self, Local};
use super::output::{announce, transmit};
use crate::component::INET;
use crate::timer;
use crate::wire::arp::{ArpPacket, PACKET_LEN};

/// Takes an ARP packet.
pub(crate) fn input(cx: &Cx<'_>, mut packet: Packet) {
    let inet = cx.get(&INET);
    inet.arp_counters.received.inc(cx);
    let parsed = packet.pullup(PACKET_LEN).and_then(|b| ArpPacket::parse(b).ok().copied());
    let (Some(arp), Ok(ifp)) = (parsed, config::by_index(cx, packet.rcvif())) else {
        return inet.arp_counters.bad.inc(cx);
    };
    let locals: SmallVec<[Local; 4]> = ifp.addrs(cx).iter().filter_map(local::of).collect();
    let mac = ifp.lladdr();
    let mut caches = inet.arp.lock(cx);
    // An interface without an address of ours has no cache, and nothing to say.
    let Some(a) = caches.get(ifp.index()) else { return };
    let cost = a.cache.input_cost();
    if a.may_grow(cost).is_err() {
        return;
    }
    let outcome = a.cache.input(&arp, mac, &locals, cx.now().nanos());
    let deadline = a.cache.next_deadline();
    drop(caches);
    if let Some(deadline) = deadline {
        timer::by(cx, deadline);
    }
    if let Some(conflict) = outcome.conflict {
        inet.arp_counters.conflicts.inc(cx);
        if conflict.defend {
            kprintf!(cx, "{}: {} is used by {} too", ifp.name(), conflict.ip, conflict.mac);
            announce(cx, &ifp, conflict.ip);
        }
    }
    if let Learnt::Moved(from) = outcome.learnt
        && inet.notices.lock(cx).take(cx.now().nanos())
    {
        let (ip, mac) = (arp.sender_ip(), arp.sender_mac);
        kprintf!(cx, "{}: {ip} moved from {from} to {mac}", ifp.name());
    }
    if let Some(reply) = outcome.reply {
        inet.arp_counters.replies_sent.inc(cx);
        transmit(cx, &ifp, reply.target_mac, reply);
    }
    if let Some((mac, packets)) = outcome.release {
        for packet in packets {
            let _ = ethernet::output(cx, &ifp, mac, EtherType::IPV4, packet);
        }
    }
}
