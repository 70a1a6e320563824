//! Ethernet.
//!
//! * [`wire`] is the format: addresses, types, the header.
//! * [`input`]: a frame from a driver.  * [`output`]: a packet to a neighbour.
//! * [`above`]: a frame from who stands on an interface.
//!
//! Locking: none of its own. Sources: RFC 894; NetBSD net/if_ethersubr.c.

pub mod wire;

use base::{Cx, KArc};
use zerocopy::IntoBytes;

use crate::ifnet::upper::{self, Place};
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
    if ifp.is_stood_on() {
        if header.first().is_some_and(|b| b & 1 != 0) {
            counters.imcasts.inc(cx);
        }
        return stood_on(cx, ifp, frame);
    }
    local(cx, ifp, frame, true);
}

/// The frames of an interface that somebody stands on.
#[cold]
fn stood_on(cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) {
    let frame = match upper::on(cx, ifp, Place::Bridge) {
        Some(bridge) => bridge.input(cx, ifp, frame),
        None => Some(frame),
    };
    if let Some(frame) = frame {
        above(cx, ifp, frame);
    }
}

/// Gives a frame that has arrived, and was counted, to what is above a bridge that `ifp` may be a
/// member of.
pub fn above(cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) {
    let mut left = Some(frame);
    for place in [Place::Tags, Place::Own] {
        let Some(frame) = left else { return };
        left = match upper::on(cx, ifp, place) {
            Some(upper) => upper.input(cx, ifp, frame),
            None => Some(frame),
        };
    }
    if let Some(frame) = left {
        local(cx, ifp, frame, false);
    }
}

/// Gives a frame to the kernel's own protocols, if it is for them.
#[inline]
fn local(cx: &Cx<'_>, ifp: &KArc<Ifnet>, mut frame: Packet, counts: bool) {
    let counters = &ifp.counters;
    let header = frame.pullup(HEADER_LEN);
    let Some(Ok((header, _))) = header.map(|header| EtherHeader::parse(header)) else {
        return counters.ierrors.inc(cx);
    };
    let (dst, ethertype) = (header.dst, header.ethertype());
    let mut flags = Flags::empty();
    if dst.is_multicast() {
        if counts {
            counters.imcasts.inc(cx);
        }
        flags = if dst.is_broadcast() { Flags::LINK_BROADCAST } else { Flags::LINK_MULTICAST };
    } else if dst != ifp.lladdr() {
        // For somebody else: only a capture may want it, and has had it.
        return;
    }
    frame.pull(HEADER_LEN);
    frame.set_flags(flags | frame.unfinished());
    frame.set_rcvif(ifp.index());
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
    if ifp.is_stood_on() {
        return send(cx, ifp, packet);
    }
    ifnet::transmit(cx, ifp, packet)
}

/// Sends a frame of this kernel's on `ifp`, or where a bridge that it is a member of wants it.
#[cold]
fn send(cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) -> Result<(), IfError> {
    let frame = match upper::on(cx, ifp, Place::Bridge) {
        Some(bridge) => bridge.output(cx, ifp, frame)?,
        None => Some(frame),
    };
    match frame {
        Some(frame) => ifnet::transmit(cx, ifp, frame),
        None => Ok(()),
    }
}
