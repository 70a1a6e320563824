//! Taps: who captures packets of an interface.
//!
//! Locking: called with `Rank::Tap` held: a tap may copy the packet, and put it on a queue of its
//! own. Sources: NetBSD bpf_mtap.

use core::sync::atomic::Ordering;

use alloc::sync::Arc;
use base::{Cx, KArc, NoMemory};

use super::Ifnet;
use crate::mbuf::Packet;

/// Somebody who captures.
pub trait Tap: Send + Sync {
    /// A packet comes or goes, with its link header.
    fn packet(&self, cx: &Cx<'_>, ifp: &Ifnet, packet: &Packet);
}

/// Shows `tap` all packets of `ifp` from now on.
pub fn add(cx: &Cx<'_>, ifp: &Ifnet, tap: KArc<dyn Tap>) -> Result<(), NoMemory> {
    ifp.taps.lock(cx).push(tap)?;
    ifp.tapped.store(true, Ordering::Relaxed);
    Ok(())
}

/// Shows `tap` no more packets of `ifp`.
pub fn remove(cx: &Cx<'_>, ifp: &Ifnet, tap: &KArc<dyn Tap>) {
    let mut taps = ifp.taps.lock(cx);
    let at = taps.iter().position(|t| Arc::ptr_eq(t, tap));
    let gone = at.map(|i| taps.swap_remove(i));
    ifp.tapped.store(!taps.is_empty(), Ordering::Relaxed);
    drop(taps);
    drop(gone);
}
