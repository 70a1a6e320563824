//! Who stands on an interface: a bridge that it is a member of, networks that share its link by tags.
//!
//! * [`Upper`]: sees what comes before the kernel's own protocols do, and what they send.
//! * [`stand`], [`leave`]: onto an interface, and off it. There is one place for each kind.
//!
//! An interface that nobody stands on pays one look at a byte for it.
//!
//! Locking: `Rank::Tap` for the places, not held while anybody is called.
//! Sources: NetBSD net/if_ethersubr.c (ether_input, ether_output: if_bridge, vlan_input).

use core::sync::atomic::Ordering;

use base::{Cx, KArc, Lwp};

use super::{IfError, Ifnet};
use crate::mbuf::Packet;

/// Where one stands: who sees a frame first, comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Place {
    /// A bridge.
    Bridge,
    /// Virtual networks, by 802.1Q tags.
    Tags,
    /// A protocol that takes some frames for itself, before the interface has an address.
    Own,
}

/// How many places there are.
pub(crate) const PLACES: usize = 3;

/// Somebody who stands on interfaces.
#[allow(unused_variables)]
pub trait Upper: Send + Sync {
    /// A frame has arrived on `ifp`, with its link header, from which it is long enough. What is
    /// given back goes on to who comes next.
    fn input(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) -> Option<Packet>;

    /// This kernel sends a frame on `ifp`. What is given back goes on there.
    fn output(
        &self,
        cx: &Cx<'_>,
        ifp: &KArc<Ifnet>,
        frame: Packet,
    ) -> Result<Option<Packet>, IfError> {
        Ok(Some(frame))
    }

    /// Whether `ifp` may have this MTU.
    fn check_mtu(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>, mtu: u32) -> Result<(), IfError> {
        Ok(())
    }

    /// `ifp` has another MTU.
    fn mtu_changed(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {}

    /// `ifp` is being destroyed: gets off it.
    fn gone(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>);
}

/// Stands on `ifp`; `Busy` if somebody does, in that place.
pub fn stand(
    cx: &Cx<'_>,
    ifp: &Ifnet,
    place: Place,
    upper: KArc<dyn Upper>,
) -> Result<(), IfError> {
    let mut uppers = ifp.uppers.lock(cx);
    let at = uppers.get_mut(place as usize).ok_or(IfError::Invalid)?;
    if at.is_some() {
        return Err(IfError::Busy);
    }
    *at = Some(upper);
    ifp.standing.fetch_or(1 << place as u8, Ordering::Relaxed);
    Ok(())
}

/// Gets off `ifp`. A call that has begun may still be under way on another CPU.
pub fn leave(cx: &Cx<'_>, ifp: &Ifnet, place: Place) {
    ifp.standing.fetch_and(!(1 << place as u8), Ordering::Relaxed);
    let gone = ifp.uppers.lock(cx).get_mut(place as usize).and_then(Option::take);
    drop(gone);
}

/// Who stands there.
#[inline]
pub fn on(cx: &Cx<'_>, ifp: &Ifnet, place: Place) -> Option<KArc<dyn Upper>> {
    if ifp.standing.load(Ordering::Relaxed) & 1 << place as u8 == 0 {
        return None;
    }
    ifp.uppers.lock(cx).get(place as usize).cloned().flatten()
}

/// All who stand on `ifp`.
pub(crate) fn all(cx: &Cx<'_>, ifp: &Ifnet) -> impl Iterator<Item = KArc<dyn Upper>> + use<> {
    [Place::Bridge, Place::Tags, Place::Own].map(|place| on(cx, ifp, place)).into_iter().flatten()
}
