//! What stands on an interface that carries virtual networks: frames with a tag are theirs.
//!
//! A frame with the number of no network here is dropped and counted (`noproto` of the interface
//! below). One with number 0 has a priority and no network: it goes on without its tag.
//!
//! Locking: `Rank::Proto` for the table, not held while a frame goes up.
//! Sources: IEEE 802.1Q §9.6 (number 0); NetBSD net/if_vlan.c (vlan_input).

use base::{Cx, KArc, Lwp};
use net::ethernet;
use net::ifnet::upper::{self, Place, Upper};
use net::ifnet::{self, IfFlags, Ifnet};
use net::mbuf::Packet;

use crate::component::VLAN;
use crate::driver::Link;
use crate::tag;

/// A virtual network that is connected.
pub(crate) struct Entry {
    /// The index of the interface below, and the number.
    pub(crate) key: (u32, u16),
    pub(crate) ifp: KArc<Ifnet>,
    pub(crate) link: KArc<Link>,
}

/// See the module's text.
pub(crate) struct Tags;

/// The network with that number on the interface with this index.
pub(crate) fn find(cx: &Cx<'_>, key: (u32, u16)) -> Option<KArc<Ifnet>> {
    let entries = cx.get(&VLAN).entries.lock(cx);
    let at = entries.binary_search_by_key(&key, |entry| entry.key).ok()?;
    entries.get(at).map(|entry| entry.ifp.clone())
}

/// Disconnects a network: nothing arrives on it any more.
pub(crate) fn take_off(cx: &Cx<'_>, ifp: &KArc<Ifnet>, link: &Link) {
    let Some((parent, number)) = link.take(cx) else { return };
    let mut entries = cx.get(&VLAN).entries.lock(cx);
    let at = entries.binary_search_by_key(&(parent.index(), number), |entry| entry.key).ok();
    let gone = at.map(|at| entries.remove(at));
    let others = entries.iter().any(|entry| entry.key.0 == parent.index());
    drop(entries);
    drop(gone);
    ifp.change_flags(IfFlags::empty(), IfFlags::RUNNING);
    if !others {
        upper::leave(cx, &parent, Place::Tags);
    }
    if link.takes_all(false) {
        ifnet::promiscuous(cx, &parent, false);
    }
}

/// The first network on the interface with this index whose number is `from` or more.
fn next(cx: &Cx<'_>, parent: u32, from: u16) -> Option<(u16, KArc<Ifnet>, KArc<Link>)> {
    let entries = cx.get(&VLAN).entries.lock(cx);
    let at = entries.partition_point(|entry| entry.key < (parent, from));
    let entry = entries.get(at).filter(|entry| entry.key.0 == parent)?;
    Some((entry.key.1, entry.ifp.clone(), entry.link.clone()))
}

impl Upper for Tags {
    fn input(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>, mut frame: Packet) -> Option<Packet> {
        let Some(number) = tag::number(&mut frame) else { return Some(frame) };
        if tag::remove(&mut frame).is_none() {
            ifp.counters.ierrors.inc(cx);
            return None;
        }
        if number == 0 {
            return Some(frame);
        }
        match find(cx, (ifp.index(), number)) {
            Some(vlan) if vlan.flags().contains(IfFlags::UP) => ethernet::input(cx, &vlan, frame),
            Some(_) => {}
            None => ifp.counters.noproto.inc(cx),
        }
        None
    }

    /// No network may have longer packets than the link that carries it.
    fn mtu_changed(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        let mut from = 0;
        while let Some((number, vlan, _)) = next(l, ifp.index(), from) {
            if vlan.mtu() > ifp.mtu() {
                vlan.set_mtu(ifp.mtu());
            }
            from = number + 1;
        }
    }

    fn gone(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        while let Some((_, vlan, link)) = next(l, ifp.index(), 0) {
            take_off(l, &vlan, &link);
        }
    }
}
