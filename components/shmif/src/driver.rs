//! The interface: a driver over whatever backend its linkstr names.
//!
//! Locking: `Rank::Ifnet` for the connection; held while a frame is handed to the backend, which
//! does not block.

use alloc::string::String;

use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Charge, Cx, KArc, KBox, Lwp};
use net::MacAddr;
use net::ethernet::wire::MTU;
use net::ifnet::cloner::Recipe;
use net::ifnet::{IfDriver, IfError, IfFlags, IfKind, Ifnet};
use net::mbuf::Packet;

use crate::backend::{self, Backend};

/// The longest name of a bus, in bytes.
const LINKSTR_MAX: usize = 255;

struct Connection {
    linkstr: String,
    backend: KArc<dyn Backend>,
    _charge: Charge,
}

struct Shmif {
    connection: IntrMutex<Option<Connection>>,
}

/// Makes the driver for a new interface.
pub(crate) fn create(l: &mut Lwp<'_>, _unit: u32) -> Result<Recipe, IfError> {
    let connection = IntrMutex::new(l, Rank::Ifnet, None);
    let driver: KBox<dyn IfDriver> = kmem::boxed(l, Shmif { connection })?;
    let [a, b, c, d] = base::random::u32(l).to_be_bytes();
    Ok(Recipe {
        kind: IfKind::Ethernet,
        flags: IfFlags::BROADCAST | IfFlags::MULTICAST,
        mtu: MTU as u32,
        // The original's prefix: locally administered, one station.
        lladdr: MacAddr([0xb2, 0xa0, a, b, c, d]),
        driver,
    })
}

/// Nothing to do: an interface without a linkstr is connected to nothing.
pub(crate) fn attached(_: &mut Lwp<'_>, _: &KArc<Ifnet>) -> Result<(), IfError> {
    Ok(())
}

impl Shmif {
    fn disconnect(&self, l: &mut Lwp<'_>, ifp: &Ifnet) {
        let old = self.connection.lock(l).take();
        if let Some(old) = old {
            ifp.change_flags(IfFlags::empty(), IfFlags::RUNNING);
            ifp.set_unfinished_max(0);
            old.backend.leave(l);
        }
    }
}

impl IfDriver for Shmif {
    #[inline]
    fn transmit(&self, cx: &Cx<'_>, _: &KArc<Ifnet>, frame: Packet) -> Result<(), IfError> {
        match &*self.connection.lock(cx) {
            Some(c) => c.backend.send(cx, frame),
            None => Err(IfError::NotConnected),
        }
    }

    fn set_linkstr(
        &self,
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        linkstr: &str,
    ) -> Result<(), IfError> {
        if linkstr.is_empty() {
            self.disconnect(l, ifp);
            return Ok(());
        }
        if linkstr.len() > LINKSTR_MAX || linkstr.contains('\0') {
            return Err(IfError::Invalid);
        }
        if self.connection.lock(l).is_some() {
            // As in the original: an interface is first taken off one bus, then put on another.
            return Err(IfError::Busy);
        }
        let charge = l.charge(linkstr.len())?;
        let backend = backend::join(l, ifp, linkstr)?;
        let linkstr = String::from(linkstr);
        *self.connection.lock(l) = Some(Connection { linkstr, backend, _charge: charge });
        ifp.change_flags(IfFlags::RUNNING, IfFlags::empty());
        Ok(())
    }

    fn linkstr(&self, cx: &Cx<'_>, show: &mut dyn FnMut(&str)) {
        if let Some(c) = &*self.connection.lock(cx) {
            show(&c.linkstr);
        }
    }

    fn flags_changed(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>) {
        if let Some(c) = &*self.connection.lock(cx) {
            c.backend.refresh(ifp);
        }
    }

    fn detach(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        self.disconnect(l, ifp);
    }
}
