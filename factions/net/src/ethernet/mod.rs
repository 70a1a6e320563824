//! Ethernet.
//!
//! * [`wire`] is the format: addresses, types, the header.
//! * [`input`]: a frame from a driver.  * [`output`]: a packet to a neighbour.
//!
//! Locking: none of its own. Sources: RFC 894; NetBSD net/if_ethersubr.c.

pub mod wire;

use base::{Cx, KArc};
use zerocopy::IntoBytes;

use crate::ifnet::{self, IfError, IfFlags, Ifnet};
use crate::mbuf::{Flags, Packet};
use crate::netisr;
use wire::{EtherHeader, EtherType, HEADER_LEN, MacAddr};

/// Takes a frame that has arrived on `ifp`: looks at the header, and passes on what is for us.
#[inline]
pub fn input(cx: &Cx<'_>, ifp: &KArc<Ifnet>, mut frame: Packet) {
    let counters = &ifp.counters;
    counters.ipackets.inc(cx);
    counters.ibytes.add(cx, frame.len() as u64);
    ifp.tap(cx, &frame);
    let Some(header) = frame.pullup(HEADER_LEN) else {
        return counters.ierrors.inc(cx);
    };
    let Ok((header, _)) = EtherHeader::parse(header) else {
        return counters.ierrors.inc(cx);
    };
    let (dst, ethertype) = (header.dst, header.ethertype());
    let mut flags = Flags::empty();
    if dst.is_multicast() {
        counters.imcasts.inc(cx);
        flags = if dst.is_broadcast() { Flags::LINK_BROADCAST } else { Flags::LINK_MULTICAST };
    } else if dst != ifp.lladdr() {
        // For somebody else: only a capture may want it, and has had it.
        return;
    }
    frame.pull(HEADER_LEN);
    frame.set_flags(flags | frame.unfinished());
    frame.set_rcvif(Some(ifp.clone()));
    netisr::enqueue(cx, ethertype, frame);
}

/// Sends `packet` to `dst` on the link of `ifp`.
#[inline]
pub fn output(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    dst: MacAddr,
    ethertype: EtherType,
    mut packet: Packet,
) -> Result<(), IfError> {
    if !ifp.flags().contains(IfFlags::UP) {
        ifp.counters.oerrors.inc(cx);
        return Err(IfError::Down);
    }
    let Some(room) = packet.push(HEADER_LEN) else {
        ifp.counters.oerrors.inc(cx);
        return Err(IfError::NoMemory);
    };
    room.copy_from_slice(EtherHeader::new(dst, ifp.lladdr(), ethertype).as_bytes());
    if dst.is_multicast() {
        ifp.counters.omcasts.inc(cx);
    }
    ifnet::transmit(cx, ifp, packet)
}
