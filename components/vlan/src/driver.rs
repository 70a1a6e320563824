//! The interface: a driver over another interface, whose link it shares.
//!
//! * [`set`], [`unset`]: as in `ifconfig vlan0 vlan 7 vlanif shmif0`, `ifconfig vlan0 -vlanif`.
//!
//! It takes over the link address and MTU of the interface below. What goes out and comes in is
//! counted on both.
//!
//! Locking: `Rank::Proto` for the link, never
//! held while a frame is sent. Called with `Rank::Config` held, but for sending.
//! Sources: NetBSD net/if_vlan.c (vlan_config, vlan_start).

use core::sync::atomic::{AtomicBool, Ordering};

use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, Errno, KArc, KBox, Lwp};
use net::MacAddr;
use net::control::layout::Name;
use net::ethernet::wire::MTU;
use net::ifnet::cloner::Recipe;
use net::ifnet::upper::{self, Place};
use net::ifnet::{self, IfDriver, IfError, IfFlags, IfKind, Ifnet, config};
use net::mbuf::Packet;

use crate::component::VLAN;
use crate::request::{SIOCSETVLAN, VlanReq};
use crate::tag;
use crate::tags::{self, Entry};

/// What an interface is connected to.
pub(crate) struct Link {
    below: IntrMutex<Option<(KArc<Ifnet>, u16)>>,
    /// It has the interface below take all frames.
    takes_all: AtomicBool,
}

impl Link {
    /// The interface below, and the number.
    pub(crate) fn get(&self, cx: &Cx<'_>) -> Option<(KArc<Ifnet>, u16)> {
        self.below.lock(cx).clone()
    }

    pub(crate) fn take(&self, cx: &Cx<'_>) -> Option<(KArc<Ifnet>, u16)> {
        self.below.lock(cx).take()
    }

    /// Notes whether the interface below is to take all frames; whether it was.
    pub(crate) fn takes_all(&self, on: bool) -> bool {
        self.takes_all.swap(on, Ordering::Relaxed)
    }
}

struct Vlan {
    link: KArc<Link>,
}

/// Makes the driver for a new interface.
pub(crate) fn create(l: &mut Lwp<'_>, _: u32) -> Result<Recipe, IfError> {
    let below = IntrMutex::new(l, Rank::Proto, None);
    let link = kmem::arc(l, Link { below, takes_all: AtomicBool::new(false) })?;
    let driver: KBox<dyn IfDriver> = kmem::boxed(l, Vlan { link })?;
    Ok(Recipe {
        kind: IfKind::Ethernet,
        flags: IfFlags::BROADCAST | IfFlags::MULTICAST,
        mtu: MTU as u32,
        lladdr: MacAddr::ZERO,
        driver,
    })
}

/// An interface without another below is connected to nothing. Frames go through unfinished: the one
/// below says what its driver takes.
pub(crate) fn attached(_: &mut Lwp<'_>, ifp: &KArc<Ifnet>) -> Result<(), IfError> {
    ifp.set_unfinished_max(u32::MAX);
    Ok(())
}

/// Connects `vlan` to the network `number` (1 to 4094) on the link of `below`.
///
/// `Invalid`: `below` is not Ethernet, or is a virtual network itself; or no network has that
/// number. `Busy`: `vlan` is connected, or is a member of a bridge. `Exists`: another interface
/// has that network.
pub fn set(l: &mut Lwp<'_>, vlan: &str, below: &str, number: u16) -> Result<(), Errno> {
    let mut data = VlanReq::new(Name::new(vlan), Name::new(below), number);
    config::request(l, vlan, SIOCSETVLAN, zerocopy::IntoBytes::as_mut_bytes(&mut data))
}

/// Disconnects it.
pub fn unset(l: &mut Lwp<'_>, vlan: &str) -> Result<(), Errno> {
    set(l, vlan, "", 0)
}

impl Vlan {
    fn connect(
        &self,
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        below: &str,
        number: u16,
    ) -> Result<(), IfError> {
        let below = config::find(l, below)?;
        let is_vlan = below.name().starts_with("vlan") || below.driver().parent(l).is_some();
        if below.kind() != IfKind::Ethernet || is_vlan || !tag::NUMBERS.contains(&number) {
            return Err(IfError::Invalid);
        }
        // A bridge has looked at what is below it; it could be the bridge itself now.
        if self.link.get(l).is_some() || upper::on(l, ifp, Place::Bridge).is_some() {
            return Err(IfError::Busy);
        }
        let state = l.get(&VLAN);
        let key = (below.index(), number);
        let mut entries = state.entries.lock(l);
        let Err(at) = entries.binary_search_by_key(&key, |entry| entry.key) else {
            return Err(IfError::Exists);
        };
        let is_first = !entries.iter().any(|entry| entry.key.0 == below.index());
        entries.insert(at, Entry { key, ifp: ifp.clone(), link: self.link.clone() })?;
        drop(entries);
        if is_first && let Err(e) = upper::stand(l, &below, Place::Tags, state.tags.clone()) {
            let mut entries = state.entries.lock(l);
            let at = entries.binary_search_by_key(&key, |entry| entry.key).ok();
            let gone = at.map(|at| entries.remove(at));
            drop(entries);
            drop(gone);
            return Err(e);
        }
        ifp.set_lladdr(below.lladdr());
        ifp.set_mtu(below.mtu());
        *self.link.below.lock(l) = Some((below, number));
        ifp.change_flags(IfFlags::RUNNING, IfFlags::empty());
        self.flags_changed(l, ifp);
        config::link_changed(l, ifp);
        Ok(())
    }
}

impl IfDriver for Vlan {
    fn transmit(&self, cx: &Cx<'_>, _: &KArc<Ifnet>, mut frame: Packet) -> Result<(), IfError> {
        let Some((below, number)) = self.link.get(cx) else { return Err(IfError::NotConnected) };
        if !below.flags().contains(IfFlags::UP) {
            return Err(IfError::Down);
        }
        tag::insert(&mut frame, number).ok_or(IfError::NoMemory)?;
        // Not by way of a bridge that the interface below is a member of: this one may be, too.
        ifnet::transmit(cx, &below, frame)
    }

    fn request(
        &self,
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        number: u32,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        if number != SIOCSETVLAN {
            return Err(Errno::NotTerminal);
        }
        let request = VlanReq::read(data)?;
        match request.below.text()? {
            "" => {
                tags::take_off(l, ifp, &self.link);
                Ok(())
            }
            below => self.connect(l, ifp, below, request.number).map_err(|e| match e {
                IfError::NoInterface => Errno::NotSuchDevice,
                e => e.into(),
            }),
        }
    }

    fn parent(&self, cx: &Cx<'_>) -> Option<KArc<Ifnet>> {
        self.link.get(cx).map(|(below, _)| below)
    }

    /// Who wants all frames of the network needs all those of the link.
    fn flags_changed(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>) {
        let Some((below, _)) = self.link.get(cx) else { return };
        let wanted = ifp.flags().contains(IfFlags::PROMISC);
        if self.link.takes_all(wanted) != wanted {
            ifnet::promiscuous(cx, &below, wanted);
        }
    }

    fn check_mtu(&self, cx: &Cx<'_>, mtu: u32) -> Result<(), IfError> {
        match self.link.get(cx) {
            Some((below, _)) if mtu > below.mtu() => Err(IfError::Invalid),
            _ => Ok(()),
        }
    }

    fn detach(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        tags::take_off(l, ifp, &self.link);
    }
}
