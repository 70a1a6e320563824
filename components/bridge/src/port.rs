//! What a member does with frames: the bridge stands on it.
//!
//! | frame from a member, to | goes |
//! |---|---|
//! | the bridge's address | to this kernel, as received by the bridge |
//! | a member's address | to this kernel, as received by that member |
//! | a group, or everybody | to all other members, and to this kernel twice: by the bridge and by the member |
//! | a reserved group (01:80:c2:00:00:0X) | to this kernel only |
//! | anybody else | where they were heard; to all other members if nobody knows |
//!
//! Locking: none held. Sources: IEEE 802.1D §7.12.6 (reserved addresses); NetBSD net/if_bridge.c
//! (bridge_input, bridge_output).

use base::{Cx, KArc, Lwp};
use net::MacAddr;
use net::ethernet::wire::EtherHeader;
use net::ethernet::{self};
use net::ifnet::upper::Upper;
use net::ifnet::{IfError, IfFlags, Ifnet};
use net::mbuf::Packet;

use crate::component::BRIDGE;
use crate::driver;
use crate::members::{Members, Way};

/// A bridge, as it stands on each of its members.
pub(crate) struct Port {
    pub(crate) bridge: KArc<Ifnet>,
    pub(crate) members: KArc<Members>,
}

/// Whether bridges keep frames to this group to themselves.
fn is_reserved(dst: MacAddr) -> bool {
    matches!(dst.0, [0x01, 0x80, 0xc2, 0x00, 0x00, 0x00..=0x0f])
}

impl Port {
    fn is_on(&self) -> bool {
        self.bridge.flags().contains(IfFlags::UP)
    }

    /// Shows the bridge's own protocols a copy.
    fn to_bridge(&self, cx: &Cx<'_>, frame: &Packet) {
        match frame.duplicate(cx) {
            Ok(copy) => ethernet::input(cx, &self.bridge, copy),
            Err(_) => cx.get(&BRIDGE).counters.no_memory.inc(cx),
        }
    }
}

fn addresses(frame: &Packet) -> Option<(MacAddr, MacAddr)> {
    EtherHeader::parse(frame.head()).ok().map(|(header, _)| (header.dst, header.src))
}

impl Upper for Port {
    fn input(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) -> Option<Packet> {
        if !self.is_on() {
            return Some(frame);
        }
        let (dst, src) = addresses(&frame)?;
        if is_reserved(dst) {
            return Some(frame);
        }
        if !src.is_unicast() {
            cx.get(&BRIDGE).counters.bad_source.inc(cx);
            return None;
        }
        self.members.learn(cx, src, ifp);
        if dst.is_multicast() {
            self.to_bridge(cx, &frame);
            match frame.duplicate(cx) {
                Ok(copy) => self.members.flood(cx, ifp.index(), copy),
                Err(_) => cx.get(&BRIDGE).counters.no_memory.inc(cx),
            }
            return Some(frame);
        }
        if dst == self.bridge.lladdr() {
            ethernet::input(cx, &self.bridge, frame);
        } else if dst == ifp.lladdr() {
            return Some(frame);
        } else if let Some(member) = self.members.owner(cx, dst) {
            ethernet::above(cx, &member, frame);
        } else {
            self.members.forward(cx, dst, ifp.index(), frame);
        }
        None
    }

    /// What this kernel sends on a member may be for somebody behind another.
    fn output(
        &self,
        cx: &Cx<'_>,
        ifp: &KArc<Ifnet>,
        frame: Packet,
    ) -> Result<Option<Packet>, IfError> {
        let Some((dst, _)) = addresses(&frame) else { return Ok(Some(frame)) };
        if !self.is_on() || is_reserved(dst) {
            return Ok(Some(frame));
        }
        if dst.is_multicast() {
            match frame.duplicate(cx) {
                Ok(copy) => self.members.flood(cx, ifp.index(), copy),
                Err(_) => cx.get(&BRIDGE).counters.no_memory.inc(cx),
            }
            return Ok(Some(frame));
        }
        match self.members.way(cx, dst, ifp.index()) {
            Way::Filter => Ok(Some(frame)),
            Way::Out(_) | Way::All => {
                self.members.forward(cx, dst, 0, frame);
                Ok(None)
            }
        }
    }

    /// All members of a bridge have one MTU, for nobody tells a sender that a frame was too long.
    fn check_mtu(&self, _: &Cx<'_>, ifp: &KArc<Ifnet>, mtu: u32) -> Result<(), IfError> {
        if mtu == ifp.mtu() { Ok(()) } else { Err(IfError::Busy) }
    }

    fn gone(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        driver::take_off(l, &self.members, ifp);
    }
}
