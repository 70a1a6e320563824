//! The interface: a driver over a device of the host's.
//!
//! Locking: `Rank::Ifnet` for the connection; held while a frame is handed to the host, which does
//! not block.

use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, KArc, KBox, Lwp};
use net::MacAddr;
use net::ethernet::wire::{HEADER_LEN, MTU};
use net::ifnet::cloner::Recipe;
use net::ifnet::{IfDriver, IfError, IfFlags, IfKind, Ifnet};
use net::mbuf::Packet;

use crate::component::VIRTIF;
use crate::link::Link;

/// The longest name of a device, in bytes: Linux's.
const NAME_MAX: usize = 15;

/// The longest packet: the longest frame of the host's less its header.
const MTU_MAX: u32 = 65_535 - HEADER_LEN as u32;

/// The component's state in a kernel.
pub(crate) struct Settings {
    connects: AtomicBool,
    offloads: AtomicBool,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self { connects: AtomicBool::new(true), offloads: AtomicBool::new(true) }
    }

    /// Whether a new interface is connected at once.
    pub(crate) fn connects(&self) -> bool {
        self.connects.load(Ordering::Relaxed)
    }

    pub(crate) fn set_connects(&self, on: bool) {
        self.connects.store(on, Ordering::Relaxed);
    }

    /// Whether hosts that can do checksums and cut segments have to.
    pub(crate) fn offloads(&self) -> bool {
        self.offloads.load(Ordering::Relaxed)
    }

    pub(crate) fn set_offloads(&self, on: bool) {
        self.offloads.store(on, Ordering::Relaxed);
    }
}

struct Virt {
    link: IntrMutex<Option<KArc<Link>>>,
}

/// Makes the driver for a new interface.
pub(crate) fn create(l: &mut Lwp<'_>, _: u32) -> Result<Recipe, IfError> {
    let link = IntrMutex::new(l, Rank::Ifnet, None);
    let driver: KBox<dyn IfDriver> = kmem::boxed(l, Virt { link })?;
    let [a, b, c, d] = base::random::u32(l).to_be_bytes();
    Ok(Recipe {
        kind: IfKind::Ethernet,
        flags: IfFlags::BROADCAST | IfFlags::MULTICAST,
        mtu: MTU as u32,
        // The original's prefix: locally administered, one station.
        lladdr: MacAddr([0xb2, 0x0a, a, b, c, d]),
        driver,
    })
}

/// As in the book: `virtN` is connected to `tapN` from its creation on, or is not created.
pub(crate) fn attached(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) -> Result<(), IfError> {
    if !l.get(&VIRTIF).connects() {
        return Ok(());
    }
    // A name of a device is short: no charge for it.
    let mut device = String::new();
    let unit = ifp.name().trim_start_matches(|c: char| !c.is_ascii_digit());
    let _ = write!(device, "tap{unit}");
    ifp.driver().set_linkstr(l, ifp, &device)
}

impl Virt {
    fn disconnect(&self, l: &mut Lwp<'_>, ifp: &Ifnet) {
        let old = self.link.lock(l).take();
        if let Some(old) = old {
            ifp.change_flags(IfFlags::empty(), IfFlags::RUNNING);
            ifp.set_unfinished_max(0);
            old.leave(l);
        }
    }
}

impl IfDriver for Virt {
    #[inline]
    fn transmit(&self, cx: &Cx<'_>, _: &KArc<Ifnet>, frame: Packet) -> Result<(), IfError> {
        match &*self.link.lock(cx) {
            Some(link) => link.send(cx, frame),
            None => Err(IfError::NotConnected),
        }
    }

    /// Another device takes the place of the one before; if it cannot be had, that stays.
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
        if linkstr.len() > NAME_MAX || linkstr.contains(['\0', '/', '%']) {
            return Err(IfError::Invalid);
        }
        if self.link.lock(l).as_ref().is_some_and(|link| link.name() == linkstr) {
            return Ok(());
        }
        let new = Link::open(l, ifp, linkstr)?;
        self.disconnect(l, ifp);
        ifp.set_unfinished_max(new.unfinished_max());
        *self.link.lock(l) = Some(new.clone());
        ifp.change_flags(IfFlags::RUNNING, IfFlags::empty());
        Link::listen(&new, l).inspect_err(|_| self.disconnect(l, ifp))
    }

    fn linkstr(&self, cx: &Cx<'_>, show: &mut dyn FnMut(&str)) {
        if let Some(link) = &*self.link.lock(cx) {
            show(link.name());
        }
    }

    fn detach(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        self.disconnect(l, ifp);
    }

    fn max_mtu(&self) -> u32 {
        MTU_MAX
    }
}
