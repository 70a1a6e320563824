//! A bridge's members, and where a frame goes.
//!
//! * [`Members::forward`]: out on the right member, or on all others.
//!
//! Locking: `Rank::Proto` for the members and the table, never held while a frame is sent.
//! Sources: IEEE 802.1D §7.7; NetBSD net/if_bridge.c (bridge_forward, bridge_broadcast).

use base::lock::{IntrMutex, Rank};
use base::{Cx, KArc, KVec};
use net::MacAddr;
use net::ethernet::wire::{HEADER_LEN, TAG_LEN};
use net::ifnet::{self, IfFlags, Ifnet};
use net::mbuf::Packet;
use net::offload;

use crate::component::BRIDGE;
use crate::table::{Heard, Table};

/// See the module's text.
pub(crate) struct Members {
    state: IntrMutex<State>,
}

/// What is guarded.
pub(crate) struct State {
    /// In the order in which they were added.
    pub(crate) members: KVec<KArc<Ifnet>>,
    pub(crate) table: Table,
}

/// Where a frame for one station goes.
pub(crate) enum Way {
    /// Nowhere: its receiver is where it came from, and has had it.
    Filter,
    /// Out on this member.
    Out(KArc<Ifnet>),
    /// Nobody knows: out on all others.
    All,
}

impl Members {
    pub(crate) fn new(cx: &Cx<'_>) -> Members {
        let state = State { members: KVec::new(cx), table: Table::new(cx) };
        Members { state: IntrMutex::new(cx, Rank::Proto, state) }
    }

    /// The members and the table.
    pub(crate) fn state<'a>(&'a self, cx: &'a Cx<'_>) -> base::lock::IntrGuard<'a, State> {
        self.state.lock(cx)
    }

    /// The `n`th member, from 0.
    fn nth(&self, cx: &Cx<'_>, n: usize) -> Option<KArc<Ifnet>> {
        self.state.lock(cx).members.get(n).cloned()
    }

    /// The member whose own address this is.
    pub(crate) fn owner(&self, cx: &Cx<'_>, mac: MacAddr) -> Option<KArc<Ifnet>> {
        self.state.lock(cx).members.iter().find(|member| member.lladdr() == mac).cloned()
    }

    /// A station was heard on a member.
    pub(crate) fn learn(&self, cx: &Cx<'_>, mac: MacAddr, member: &Ifnet) {
        let heard = self.state.lock(cx).table.learn(mac, member.index(), cx.coarse_now());
        let counters = &cx.get(&BRIDGE).counters;
        match heard {
            Heard::Again => {}
            Heard::New => counters.learnt.inc(cx),
            Heard::NoRoom => counters.no_room.inc(cx),
        }
    }

    /// Where a frame to the station `dst` goes that came on the member with index `from`.
    pub(crate) fn way(&self, cx: &Cx<'_>, dst: MacAddr, from: u32) -> Way {
        let state = self.state.lock(cx);
        match state.table.lookup(dst, cx.coarse_now()) {
            None => Way::All,
            Some(index) if index == from => Way::Filter,
            Some(index) => match state.members.iter().find(|member| member.index() == index) {
                Some(member) => Way::Out(member.clone()),
                None => Way::All,
            },
        }
    }

    /// Sends the frame on its way. `from` is the index of the member that it came on; 0: it is this
    /// kernel's own.
    pub(crate) fn forward(&self, cx: &Cx<'_>, dst: MacAddr, from: u32, frame: Packet) {
        let counters = &cx.get(&BRIDGE).counters;
        if dst.is_multicast() {
            return self.flood(cx, from, frame);
        }
        match self.way(cx, dst, from) {
            Way::Filter => counters.filtered.inc(cx),
            Way::Out(member) => {
                counters.forwarded.inc(cx);
                transmit(cx, &member, frame);
            }
            Way::All => self.flood(cx, from, frame),
        }
    }

    /// Sends the frame on all members but that with index `from`.
    pub(crate) fn flood(&self, cx: &Cx<'_>, from: u32, frame: Packet) {
        let counters = &cx.get(&BRIDGE).counters;
        counters.flooded.inc(cx);
        // The last one gets the frame itself, the others duplicates.
        let mut last: Option<KArc<Ifnet>> = None;
        for n in 0.. {
            let Some(member) = self.nth(cx, n) else { break };
            if member.index() == from || !is_up(&member) {
                continue;
            }
            if let Some(before) = last.replace(member) {
                match frame.duplicate(cx) {
                    Ok(copy) => transmit(cx, &before, copy),
                    Err(_) => counters.no_memory.inc(cx),
                }
            }
        }
        if let Some(last) = last {
            transmit(cx, &last, frame);
        }
    }
}

fn is_up(member: &Ifnet) -> bool {
    member.flags().contains(IfFlags::UP)
}

/// What cannot be sent is lost, as on any Ethernet; the member counts it. Members have one MTU, but who
/// else is on their links may have another, and send what is longer than a member's link carries.
fn transmit(cx: &Cx<'_>, member: &KArc<Ifnet>, mut frame: Packet) {
    if offload::longest(cx, &mut frame) > member.mtu() as usize + HEADER_LEN + TAG_LEN {
        return member.counters.oerrors.inc(cx);
    }
    if is_up(member) {
        let _ = ifnet::transmit(cx, member, frame);
    }
}
