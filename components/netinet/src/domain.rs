//! The inet domain: addresses of interfaces, and the routes that follow from them.
//!
//! Locking: called with `Rank::Config` held.
//! Sources: NetBSD netinet/in.c; RFC 1122 §3.2.1.3 (addresses); RFC 3021 (31-bit prefixes).

use core::net::{IpAddr, Ipv4Addr};

use base::{Cx, KArc, KVec, Lwp};
use net::ifnet::{IfAddr, IfError, IfFlags, IfKind, Ifnet, config};
use net::route::config::{Prefix4, RouteError, add, get, insert, retain, withdraw};
use net::route::{Route, RouteKind};
use smallvec::SmallVec;

use crate::{arp, igmp};

fn v4(addr: IfAddr) -> Option<Ipv4Addr> {
    match addr.addr {
        IpAddr::V4(a) => Some(a),
        IpAddr::V6(_) => None,
    }
}

/// Whether an interface may have the address: that of one host, not of a network's edge.
pub(crate) fn check_address(addr: IfAddr) -> Result<(), IfError> {
    let a = v4(addr).ok_or(IfError::Invalid)?;
    let first = a.octets()[0];
    let edge = addr.prefix <= 30 && {
        let host = u32::MAX.checked_shr(addr.prefix.into()).unwrap_or(0);
        let bits = a.to_bits() & host;
        bits == 0 || bits == host
    };
    let ok = (1..=32).contains(&addr.prefix) && (1..224).contains(&first) && !edge;
    if ok { Ok(()) } else { Err(IfError::Invalid) }
}

/// Whether an interface has exactly that address.
pub(crate) fn is_local(cx: &Cx<'_>, addr: IpAddr) -> bool {
    let IpAddr::V4(a) = addr else { return false };
    get(cx, a).is_ok_and(|(to, route)| to.len == 32 && route.kind == RouteKind::Local)
}

/// The routes that an address makes.
fn routes(ifp: &KArc<Ifnet>, addr: Ipv4Addr, prefix: u8) -> impl Iterator<Item = (Prefix4, Route)> {
    let loopback = ifp.flags().contains(IfFlags::LOOPBACK);
    let net = Prefix4::of(addr, prefix);
    let last = net.addr.to_bits() | u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let host = |a: Ipv4Addr| Prefix4 { addr: a, len: 32 };
    // All of 127/8 is this host (RFC 1122 §3.2.1.3 (g)).
    let network = if loopback { RouteKind::Local } else { RouteKind::Connected };
    let edges = !loopback && prefix <= 30;
    let list = [
        Some((host(addr), RouteKind::Local)),
        (prefix < 32).then_some((net, network)),
        edges.then_some((host(Ipv4Addr::from_bits(last)), RouteKind::Broadcast)),
        // The old form of the broadcast address (RFC 1122 §3.3.6): taken, never sent by us.
        edges.then_some((host(net.addr), RouteKind::Broadcast)),
    ];
    let route = move |kind| Route { kind, ifp: ifp.clone(), source: addr, is_static: false };
    list.into_iter().flatten().map(move |(to, kind)| (to, route(kind)))
}

/// An interface got an address.
pub(crate) fn address_added(
    l: &mut Lwp<'_>,
    ifp: &KArc<Ifnet>,
    addr: IfAddr,
) -> Result<(), IfError> {
    let a = v4(addr).ok_or(IfError::Invalid)?;
    if ifp.kind() == IfKind::Ethernet {
        arp::interfaces::attach(l, ifp)?;
    }
    let mut made: SmallVec<[Prefix4; 4]> = SmallVec::new();
    for (to, route) in routes(ifp, a, addr.prefix) {
        let is_itself = to.len == 32 && route.kind == RouteKind::Local;
        let error = match insert(l, to, route) {
            Ok(()) => {
                made.push(to);
                continue;
            }
            // A second address in the same network: the first one's route serves.
            Err(RouteError::Exists) if !is_itself => continue,
            // A user's route, or a network's edge: packets for the address would go there.
            Err(RouteError::Exists) => IfError::Exists,
            Err(_) => IfError::NoMemory,
        };
        for to in made {
            withdraw(l, to, ifp);
        }
        return Err(error);
    }
    Ok(())
}

/// The interface is up with the address: an announcement (RFC 5227 §2.3) corrects what the
/// neighbours may remember of it.
pub(crate) fn address_up(cx: &Cx<'_>, ifp: &KArc<Ifnet>, addr: IfAddr) {
    if let (Some(a), IfKind::Ethernet) = (v4(addr), ifp.kind()) {
        arp::output::announce(cx, ifp, a);
        igmp::interface_up(cx, ifp);
    }
}

/// An address was taken away.
pub(crate) fn address_removed(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, addr: IfAddr) {
    let Some(a) = v4(addr) else { return };
    if !ifp.addrs(l).iter().any(|left| left.addr.is_ipv4()) {
        igmp::interface_gone(l, ifp);
    }
    if !withdraw_all(l, ifp, a, addr.prefix) {
        // At the kernel's end all routes have gone before.
        return;
    }
    // Static routes whose gateway can no longer be reached go with it; others that it was the source
    // of get another, as far as memory allows.
    let mut again: KVec<(Prefix4, Ipv4Addr)> = KVec::new(l);
    let index = ifp.index();
    let near = |o: IfAddr| Some(Prefix4::of(v4(o)?, o.prefix));
    let left: SmallVec<[Prefix4; 4]> = ifp.addrs(l).iter().copied().filter_map(near).collect();
    let is_in = |g: Ipv4Addr, net: Prefix4| Prefix4::of(g, net.len) == net;
    retain(l, |to, r| match r.kind {
        RouteKind::Gateway(g)
            if r.ifp.index() == index && is_in(g, Prefix4::of(a, addr.prefix)) =>
        {
            let stays = left.iter().any(|net| is_in(g, *net));
            if stays && r.source == a {
                let _ = again.push((to, g));
            }
            stays && r.source != a
        }
        _ => true,
    });
    // What other addresses share with it, of this interface or of others, must be there again.
    let others = core::iter::once(ifp.clone()).chain(config::list(l));
    for other in others {
        let addrs: SmallVec<[IfAddr; 4]> = other.addrs(l).iter().copied().collect();
        for (o, prefix) in addrs.into_iter().filter_map(|o| Some((v4(o)?, o.prefix))) {
            for (to, route) in routes(&other, o, prefix) {
                let _ = insert(l, to, route);
            }
        }
    }
    for (to, gateway) in again.iter() {
        let _ = add(l, *to, *gateway);
    }
}

/// Takes an address's routes away; false if it had none.
fn withdraw_all(cx: &Cx<'_>, ifp: &KArc<Ifnet>, addr: Ipv4Addr, prefix: u8) -> bool {
    routes(ifp, addr, prefix).fold(false, |had, (to, _)| withdraw(cx, to, ifp) || had)
}

/// An interface was taken down.
pub(crate) fn interface_down(cx: &Cx<'_>, ifp: &KArc<Ifnet>) {
    arp::interfaces::flush(cx, ifp);
    igmp::interface_down(cx, ifp);
}

/// An interface is going.
pub(crate) fn interface_gone(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
    arp::interfaces::detach(l, ifp);
    igmp::interface_gone(l, ifp);
}
