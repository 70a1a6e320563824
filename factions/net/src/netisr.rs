//! From the interrupt to the protocol.
//!
//! An interface's interrupt takes link headers off and puts packets here; the soft interrupt
//! gives each to the protocol of its type, after the interrupt has finished. So the stack below
//! does not grow with the layers, and a driver need not know who comes next.
//!
//! * [`LinkProto`] (`link_proto!`): a protocol above the link, by Ethernet type.
//! * [`enqueue`]: a packet for it.
//!
//! Locking: `Rank::Ifqueue` for the queue, not held while a protocol runs.
//! Sources: NetBSD net/netisr.h, if_ethersubr.c.

use base::lock::{IntrMutex, Rank};
use base::{Cx, KDeque};
use linkme::distributed_slice;

use crate::EtherType;
use crate::component::{NET, NETISR};
use crate::mbuf::Packet;
use crate::offload::Rules;

/// The most packets that wait for their protocols; more are dropped and counted.
pub const QUEUE_LIMIT: usize = 1024;

/// A protocol above the link.
pub struct LinkProto {
    /// The type that frames carry for it.
    pub ethertype: EtherType,
    /// The component that it belongs to.
    pub component: &'static str,
    /// Takes a packet; link headers are off, and it knows its interface.
    pub input: fn(cx: &Cx<'_>, packet: Packet),
    /// What it knows of packets in which it leaves something undone, if it does: [`crate::offload`].
    pub offload: Option<Rules>,
}

/// The link protocols of all components in this binary.
#[distributed_slice]
pub static LINK_PROTOS: [LinkProto];

/// Registers a [`LinkProto`]: `net::link_proto! { static NAME = LinkProto { … }; }`.
#[macro_export]
macro_rules! link_proto {
    ($($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;)+) => {$(
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::netisr::LINK_PROTOS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::netisr::LinkProto = $value;
    )+};
}

/// Packets on their way to their protocols.
pub(crate) struct Netisr {
    queue: IntrMutex<KDeque<(&'static LinkProto, Packet)>>,
}

impl Netisr {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self { queue: IntrMutex::new(cx, Rank::Ifqueue, KDeque::new(cx)) }
    }

    /// Drops what waits.
    pub(crate) fn clear(&self, cx: &Cx<'_>) {
        while let Some(entry) = { self.queue.lock(cx).pop_front() } {
            drop(entry);
        }
    }
}

/// Queues `packet` for the protocol of `ethertype`. Without one, or without room, it is dropped
/// and counted on its interface.
pub fn enqueue(cx: &Cx<'_>, ethertype: EtherType, packet: Packet) {
    let net = cx.get(&NET);
    let Some(proto) = net.link_proto(ethertype) else {
        if let Some(ifp) = net.ifnets.by_index(cx, packet.rcvif()) {
            ifp.counters.noproto.inc(cx);
        }
        return;
    };
    let mut queue = net.netisr.queue.lock(cx);
    let refused = if queue.len() < QUEUE_LIMIT {
        queue.push_back((proto, packet)).err().map(|(_, p)| p)
    } else {
        Some(packet)
    };
    drop(queue);
    match refused {
        None => base::sched::softint::schedule(cx, &NETISR),
        Some(packet) => {
            if let Some(ifp) = net.ifnets.by_index(cx, packet.rcvif()) {
                ifp.counters.iqdrops.inc(cx);
            }
        }
    }
}

/// The soft interrupt.
pub(crate) fn run(cx: &Cx<'_>) {
    let netisr = &cx.get(&NET).netisr;
    loop {
        let Some((proto, packet)) = netisr.queue.lock(cx).pop_front() else { return };
        (proto.input)(cx, packet);
        if !cx.spend() {
            // Over the budget: the rest when the kernel is visited again.
            if !netisr.queue.lock(cx).is_empty() {
                base::sched::softint::schedule(cx, &NETISR);
            }
            return;
        }
    }
}
