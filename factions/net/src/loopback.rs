//! The loopback interface, `lo0`.
//!
//! Every kernel of this faction has one. What is sent on it comes back through the soft interrupt,
//! never from inside the call that sent it.
//!
//! Locking: none of its own. Sources: NetBSD net/if_loop.c.

use base::{Cx, KArc, KBox, Lwp};

use crate::EtherType;
use crate::ifnet::{self, IfDriver, IfError, IfFlags, IfKind, IfName, Ifnet};
use crate::mbuf::{Flags, Packet};
use crate::netisr;

/// The largest packet: what IPv4 can say.
const MTU: u32 = 65_535;

struct Loopback;

impl IfDriver for Loopback {
    fn transmit(&self, _: &Cx<'_>, _: &KArc<Ifnet>, _: Packet) -> Result<(), IfError> {
        Err(IfError::NotSupported)
    }

    fn transmit_bare(
        &self,
        cx: &Cx<'_>,
        ifp: &KArc<Ifnet>,
        ethertype: EtherType,
        mut packet: Packet,
    ) -> Result<(), IfError> {
        ifp.counters.ipackets.inc(cx);
        ifp.counters.ibytes.add(cx, packet.len() as u64);
        let kept = packet.unfinished() | packet.flags() & Flags::SPOILT;
        packet.set_flags(Flags::LOOPED | kept);
        packet.set_rcvif(ifp.index());
        netisr::enqueue(cx, ethertype, packet);
        Ok(())
    }
}

/// Attaches `lo0`. At boot.
pub(crate) fn attach(l: &mut Lwp<'_>) -> Result<(), IfError> {
    let name = IfName::new("lo0").ok_or(IfError::Invalid)?;
    let driver: KBox<dyn IfDriver> = base::vm::kmem::boxed(l, Loopback)?;
    let flags = IfFlags::UP | IfFlags::LOOPBACK | IfFlags::RUNNING | IfFlags::MULTICAST;
    ifnet::attach(l, name, IfKind::Loopback, flags, MTU, driver).map(|_| ())
}
