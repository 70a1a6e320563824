//! Configuring interfaces: what ifconfig does.
//!
//! Locking: `Rank::Config` around each change, so that changes come one after another.
//! Sources: NetBSD net/if.c (ifioctl), netinet/in.c.

use core::net::IpAddr;

use alloc::string::String;

use base::{Cx, Gone, KArc, Lwp};

use super::{IfAddr, IfError, IfFlags, Ifnet, cloner, upper};
use crate::component::NET;
use crate::domain::{self, DOMAINS};
use crate::link::{self, Character, Status};
use crate::route;

/// The smallest MTU that may be set: IPv4's (RFC 791).
pub const MIN_MTU: u32 = 68;

/// The interface called `name`.
pub fn find(cx: &Cx<'_>, name: &str) -> Result<KArc<Ifnet>, IfError> {
    cx.get(&NET).ifnets.by_name(cx, name).ok_or(IfError::NoInterface)
}

/// The interface with that index.
pub fn by_index(cx: &Cx<'_>, index: u32) -> Result<KArc<Ifnet>, IfError> {
    cx.get(&NET).ifnets.by_index(cx, index).ok_or(IfError::NoInterface)
}

/// All interfaces.
pub fn list(cx: &Cx<'_>) -> impl Iterator<Item = KArc<Ifnet>> {
    let ifnets = &cx.get(&NET).ifnets;
    (0..).map_while(move |n| ifnets.nth(cx, n))
}

/// Creates an interface, as in `ifconfig shmif0 create`.
pub fn create(l: &mut Lwp<'_>, name: &str) -> Result<KArc<Ifnet>, IfError> {
    one_at_a_time(l, |l| cloner::create(l, name))
}

/// Destroys one. Its addresses and routes go with it.
pub fn destroy(l: &mut Lwp<'_>, name: &str) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        if ifp.flags().contains(IfFlags::LOOPBACK) {
            return Err(IfError::Busy);
        }
        take_down(l, &ifp);
        Ok(())
    })
}

/// Takes an interface out of the kernel.
pub(crate) fn take_down(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
    ifp.change_flags(IfFlags::empty(), IfFlags::UP | IfFlags::RUNNING);
    for upper in upper::all(l, ifp) {
        upper.gone(l, ifp);
    }
    ifp.driver().detach(l, ifp);
    loop {
        let addr = ifp.addrs(l).first().copied();
        let Some(addr) = addr else { break };
        remove_addr_locked(l, ifp, addr.addr);
    }
    route::interface_gone(l, ifp);
    for domain in domain::of(l) {
        (domain.interface_gone)(l, ifp);
    }
    link::detach(l, ifp);
    l.get(&NET).ifnets.remove(l, ifp);
}

/// Connects an interface to what `linkstr` names; an empty one disconnects it.
pub fn set_linkstr(l: &mut Lwp<'_>, name: &str, linkstr: &str) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        ifp.driver().set_linkstr(l, &ifp, linkstr)?;
        link_changed(l, &ifp);
        Ok(())
    })
}

/// The interface has another link, or another address on it: what was learnt of neighbours is
/// forgotten, and they are told who is here. For drivers, while nobody else changes interfaces.
pub fn link_changed(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
    domain::of(l).for_each(|d| (d.interface_down)(l, ifp));
    if ifp.flags().contains(IfFlags::UP) {
        tell_neighbours(l, ifp);
    }
}

/// What an interface is connected to; empty if it is not.
pub fn linkstr(cx: &Cx<'_>, ifp: &Ifnet) -> String {
    let mut text = String::new();
    ifp.driver().linkstr(cx, &mut |s| text.push_str(s));
    text
}

/// Brings an interface up, or takes it down.
pub fn set_up(l: &mut Lwp<'_>, name: &str, up: bool) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        set_up_locked(l, &ifp, up);
        Ok(())
    })
}

/// Brings `ifp` up, or takes it down; false if it was so.
fn set_up_locked(cx: &Cx<'_>, ifp: &KArc<Ifnet>, up: bool) -> bool {
    let (set, clear) =
        if up { (IfFlags::UP, IfFlags::empty()) } else { (IfFlags::empty(), IfFlags::UP) };
    if ifp.flags().contains(IfFlags::UP) == up {
        return false;
    }
    ifp.change_flags(set, clear);
    ifp.driver().flags_changed(cx, ifp);
    match up {
        true => tell_neighbours(cx, ifp),
        false => {
            link::purge(cx, ifp);
            domain::of(cx).for_each(|d| (d.interface_down)(cx, ifp));
        }
    }
    true
}

/// All addresses of an interface that is up (again).
fn tell_neighbours(cx: &Cx<'_>, ifp: &KArc<Ifnet>) {
    let mut at = 0;
    loop {
        let addr = ifp.addrs(cx).get(at).copied();
        let Some(addr) = addr else { return };
        if let Ok(domain) = domain_of(cx, addr.addr) {
            (domain.address_up)(cx, ifp, addr);
        }
        at += 1;
    }
}

/// Sets the MTU, from [`MIN_MTU`] to what the driver can send.
pub fn set_mtu(l: &mut Lwp<'_>, name: &str, mtu: u32) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        if !(MIN_MTU..=ifp.driver().max_mtu()).contains(&mtu) {
            return Err(IfError::Invalid);
        }
        ifp.driver().check_mtu(l, mtu)?;
        for upper in upper::all(l, &ifp) {
            upper.check_mtu(l, &ifp, mtu)?;
        }
        ifp.set_mtu(mtu);
        for upper in upper::all(l, &ifp) {
            upper.mtu_changed(l, &ifp);
        }
        Ok(())
    })
}

/// Changes the character of the interface's link: `change` is given what it is. The default is a plain
/// wire, and costs nothing.
pub fn set_character(
    l: &mut Lwp<'_>,
    name: &str,
    change: impl FnOnce(&mut Character),
) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        let mut character = link::status(l, &ifp).character;
        change(&mut character);
        character.check().map_err(|_| IfError::Invalid)?;
        link::set(l, &ifp, character)
    })
}

/// What the interface's link does, and did.
pub fn link(cx: &Cx<'_>, ifp: &Ifnet) -> Status {
    link::status(cx, ifp)
}

/// Hands a request that is its driver's own to the interface `name`.
pub fn request(
    l: &mut Lwp<'_>,
    name: &str,
    number: u32,
    data: &mut [u8],
) -> Result<(), base::Errno> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name).map_err(|_| base::Errno::NotSuchDevice)?;
        ifp.driver().request(l, &ifp, number, data)
    })
}

/// Adds an address, and brings the interface up. The network that it belongs to can then be
/// reached through the interface.
pub fn add_addr(l: &mut Lwp<'_>, name: &str, addr: IpAddr, prefix: u8) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        add_addr_locked(l, &ifp, IfAddr { addr, prefix })
    })
}

/// Adds an address as [`add_addr`] does; one that the interface has already gets the new prefix.
pub fn alias_addr(l: &mut Lwp<'_>, name: &str, addr: IpAddr, prefix: u8) -> Result<(), IfError> {
    exchange_addr(l, name, IfAddr { addr, prefix }, |old| old.addr == addr)
}

/// Adds an address in the place of the interface's first one of that family.
pub fn replace_addr(l: &mut Lwp<'_>, name: &str, addr: IpAddr, prefix: u8) -> Result<(), IfError> {
    exchange_addr(l, name, IfAddr { addr, prefix }, |old| old.addr.is_ipv4() == addr.is_ipv4())
}

/// Puts `new` in the place of the first address that `is_old`, if there is one. If that fails, the
/// old one is there again.
fn exchange_addr(
    l: &mut Lwp<'_>,
    name: &str,
    new: IfAddr,
    mut is_old: impl FnMut(&IfAddr) -> bool,
) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        (domain_of(l, new.addr)?.check_address)(new)?;
        let old = ifp.addrs(l).iter().copied().find(|a| is_old(a));
        if old == Some(new) {
            set_up_locked(l, &ifp, true);
            return Ok(());
        }
        if let Some(old) = old {
            remove_addr_locked(l, &ifp, old.addr);
        }
        let added = add_addr_locked(l, &ifp, new);
        if let (Err(_), Some(old)) = (added, old) {
            add_addr_locked(l, &ifp, old)?;
        }
        added
    })
}

fn add_addr_locked(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, new: IfAddr) -> Result<(), IfError> {
    let domain = domain_of(l, new.addr)?;
    (domain.check_address)(new)?;
    if (domain.is_local)(l, new.addr) {
        return Err(IfError::Exists);
    }
    ifp.addrs(l).push(new)?;
    if let Err(e) = (domain.address_added)(l, ifp, new) {
        ifp.addrs(l).retain(|a| a.addr != new.addr);
        return Err(e);
    }
    if !set_up_locked(l, ifp, true) {
        (domain.address_up)(l, ifp, new);
    }
    Ok(())
}

/// Removes an address.
pub fn remove_addr(l: &mut Lwp<'_>, name: &str, addr: IpAddr) -> Result<(), IfError> {
    one_at_a_time(l, |l| {
        let ifp = find(l, name)?;
        if !ifp.addrs(l).iter().any(|a| a.addr == addr) {
            return Err(IfError::Invalid);
        }
        remove_addr_locked(l, &ifp, addr);
        Ok(())
    })
}

fn remove_addr_locked(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, addr: IpAddr) {
    let mut addrs = ifp.addrs(l);
    let at = addrs.iter().position(|a| a.addr == addr);
    let gone = at.map(|i| addrs.remove(i));
    drop(addrs);
    if let (Some(gone), Ok(domain)) = (gone, domain_of(l, addr)) {
        (domain.address_removed)(l, ifp, gone);
    }
}

fn domain_of(cx: &Cx<'_>, addr: IpAddr) -> Result<&'static domain::Domain, IfError> {
    let family = match addr {
        IpAddr::V4(_) => domain::AF_INET,
        IpAddr::V6(_) => domain::AF_INET6,
    };
    let found = DOMAINS.iter().find(|d| d.family == family && cx.has_component(d.component));
    found.ok_or(IfError::NotSupported)
}

fn one_at_a_time<R, E: From<Gone>>(
    l: &mut Lwp<'_>,
    change: impl FnOnce(&mut Lwp<'_>) -> Result<R, E>,
) -> Result<R, E> {
    let net = l.get(&NET);
    net.config.with(l, |l, ()| change(l))?
}
