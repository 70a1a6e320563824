//! What arp(8) asks through a socket of the family.
//!
//! * [`ioctl`]: the domain's requests; factions/net/CONTROL.md has them beside the others.
//!
//! A static address is set on the interface that is named, or else on the one whose network it
//! belongs to; it stays until it is deleted or its interface is destroyed.
//!
//! Locking: `Rank::Arp`, let go before anything is sent.
//! Sources: NetBSD arp(4), arp(8) (names and flags).

use core::net::Ipv4Addr;

use base::file::request::{read_write, write};
use base::{Cx, Errno, KArc, Lwp};
use net::control::layout::{Name, read, write as answer};
use net::ifnet::config;
use net::route::{RouteKind, lookup4};
use net::{EtherType, Ifnet, MacAddr, ethernet};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::cache::Known;
use super::entry::State;
use super::local::is_unicast;
use crate::component::INET;

pub(crate) const SIOCSARP: u32 = write(b'i', 30, size_of::<ArpReq>());
pub(crate) const SIOCDARP: u32 = write(b'i', 32, size_of::<ArpReq>());
pub(crate) const SIOCGARP: u32 = read_write(b'i', 38, size_of::<ArpReq>());
/// Ours: forgets all addresses, static ones too; says how many.
pub(crate) const SIOCFLUSHARP: u32 = base::file::request::read(b'i', 39, size_of::<u32>());

/// Flags of an address, with NetBSD's values: its link address is known; it is static.
const ATF_COM: u16 = 2;
const ATF_PERM: u16 = 4;

/// A neighbour.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
#[doc(alias = "arpreq")]
struct ArpReq {
    addr: [u8; 4],
    lladdr: [u8; 6],
    flags: u16,
    /// No name: whichever interface it is.
    name: Name,
}

/// Answers a request of this family's own.
pub(crate) fn ioctl(l: &mut Lwp<'_>, request: u32, data: &mut [u8]) -> Result<(), Errno> {
    match request {
        SIOCGARP => return get(l, data),
        SIOCSARP | SIOCDARP | SIOCFLUSHARP => {}
        _ => return Err(Errno::NotTerminal),
    }
    if !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    match request {
        SIOCSARP => set(l, read(data)?),
        SIOCDARP => delete(l, read(data)?),
        _ => flush(l, data),
    }
}

impl ArpReq {
    fn addr(&self) -> Ipv4Addr {
        self.addr.into()
    }

    /// The interface that is named, if one is.
    fn named(&self, cx: &Cx<'_>) -> Result<Option<KArc<Ifnet>>, Errno> {
        let name = self.name.text()?;
        if name.is_empty() {
            return Ok(None);
        }
        config::find(cx, name).map(Some).map_err(|_| Errno::NotSuchDevice)
    }
}

fn set(cx: &Cx<'_>, request: ArpReq) -> Result<(), Errno> {
    let (ip, mac) = (request.addr(), MacAddr(request.lladdr));
    if request.flags & !(ATF_COM | ATF_PERM) != 0 {
        // Proxies (ATF_PUBL) and the like.
        return Err(Errno::NotSupported);
    }
    if !is_unicast(ip) || !mac.is_unicast() || mac == MacAddr::ZERO {
        return Err(Errno::Invalid);
    }
    let route = lookup4(cx, ip);
    if route.as_ref().is_some_and(|r| matches!(r.kind, RouteKind::Local | RouteKind::Broadcast)) {
        return Err(Errno::Invalid);
    }
    let near = route.filter(|r| r.kind == RouteKind::Connected).map(|r| r.ifp);
    let ifp = request.named(cx)?.or(near).ok_or(Errno::NetUnreachable)?;
    let mut caches = cx.get(&INET).arp.lock(cx);
    let a = caches.get(ifp.index()).ok_or(Errno::AddrNotAvailable)?;
    let cost = a.cache.input_cost();
    a.may_grow(cost)?;
    let waiting = a.cache.set_static(ip, mac).ok_or(Errno::NoBuffers)?;
    drop(caches);
    for packet in waiting {
        let _ = ethernet::output(cx, &ifp, mac, EtherType::IPV4, packet);
    }
    Ok(())
}

fn delete(cx: &Cx<'_>, request: ArpReq) -> Result<(), Errno> {
    let index = request.named(cx)?.map(|ifp| ifp.index());
    let inet = cx.get(&INET);
    let waited = {
        let mut caches = inet.arp.lock(cx);
        let mut meant = caches.iter_mut().filter(|a| index.is_none_or(|i| i == a.ifp.index()));
        meant.find_map(|a| a.cache.remove(request.addr())).ok_or(Errno::NoDevice)?
    };
    inet.arp_counters.dropped.add(cx, waited.len() as u64);
    Ok(())
}

fn get(cx: &Cx<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let mut request: ArpReq = read(data)?;
    let index = request.named(cx)?.map(|ifp| ifp.index());
    let mut caches = cx.get(&INET).arp.lock(cx);
    let mut meant = caches.iter_mut().filter(|a| index.is_none_or(|i| i == a.ifp.index()));
    let found = meant.find_map(|a| Some((a.cache.get(request.addr())?, Name::new(a.ifp.name()))));
    let (Known { mac, state, .. }, name) = found.ok_or(Errno::NoDevice)?;
    request.lladdr = mac.0;
    request.flags = match state {
        State::Incomplete | State::Down => 0,
        State::Reachable => ATF_COM,
        State::Static => ATF_COM | ATF_PERM,
    };
    request.name = name;
    answer(&request, data)
}

fn flush(cx: &Cx<'_>, data: &mut [u8]) -> Result<(), Errno> {
    // Room for the answer is looked for before anything is done.
    let mut count: u32 = read::<u32>(data).map(|_| 0)?;
    for a in cx.get(&INET).arp.lock(cx).iter_mut() {
        count = count.saturating_add(u32::try_from(a.cache.len()).unwrap_or(u32::MAX));
        a.cache.clear();
    }
    answer(&count, data)
}
