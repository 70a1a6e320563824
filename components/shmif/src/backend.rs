//! What a bus is to the driver: somewhere to send frames to, and to leave.
//!
//! Locking: `send` is called with the driver's lock (`Rank::Ifnet`) held; it does not block.

use base::{Cx, KArc, Lwp};
use net::ifnet::{IfError, Ifnet};
use net::mbuf::Packet;

/// A connection to a bus.
pub(crate) trait Backend: Send + Sync {
    /// Gives the frame to whom it is for. It was sent even if nobody took it, as on any Ethernet.
    fn send(&self, cx: &Cx<'_>, frame: Packet) -> Result<(), IfError>;

    /// Takes up the interface's present address and flags.
    fn refresh(&self, ifp: &Ifnet);

    /// Leaves the bus; no frame arrives after this.
    fn leave(&self, l: &mut Lwp<'_>);
}

/// Connects `ifp` to the bus called `linkstr`.
pub(crate) fn join(
    l: &mut Lwp<'_>,
    ifp: &KArc<Ifnet>,
    linkstr: &str,
) -> Result<KArc<dyn Backend>, IfError> {
    if linkstr.contains('/') {
        return crate::file::join(l, ifp, linkstr);
    }
    crate::memory::join(l, ifp, linkstr)
}
