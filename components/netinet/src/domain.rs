//! The inet domain: addresses of interfaces, and the routes that follow from them.
//!
//! Locking: called with `Rank::Config` held.
//! Sources: NetBSD netinet/in.c; RFC 1122 §3.2.1.3 (addresses); RFC 3021 (31-bit prefixes).

use core::net::{IpAddr, Ipv4Addr};

use base::{Cx, KArc, Lwp};
use net::ifnet::{IfAddr, IfError, IfFlags, IfKind, Ifnet};
use net::route::config::{Prefix4, RouteError, get, insert, retain, withdraw};
use net::route::{Route, RouteKind};

use crate::arp;

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
    for (to, route) in routes(ifp, a, addr.prefix) {
        match insert(l, to, route) {
            // A second address in the same network: the first one's route serves.
            Ok(()) | Err(RouteError::Exists) => {}
            Err(_) => {
                withdraw_all(l, ifp, a, addr.prefix);
                return Err(IfError::NoMemory);
            }
        }
    }
    Ok(())
}

/// The interface is up with the address: an announcement (RFC 5227 §2.3) corrects what the
/// neighbours may remember of it.
pub(crate) fn address_up(cx: &Cx<'_>, ifp: &KArc<Ifnet>, addr: IfAddr) {
    if let (Some(a), IfKind::Ethernet) = (v4(addr), ifp.kind()) {
        arp::output::announce(cx, ifp, a);
    }
}

/// An address was taken away.
pub(crate) fn address_removed(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, addr: IfAddr) {
    let Some(a) = v4(addr) else { return };
    withdraw_all(l, ifp, a, addr.prefix);
    // Static routes whose gateway can no longer be reached go with it.
    let net = Prefix4::of(a, addr.prefix);
    let index = ifp.index();
    retain(l, |_, r| match r.kind {
        RouteKind::Gateway(g) if r.ifp.index() == index => Prefix4::of(g, addr.prefix) != net,
        _ => true,
    });
    // What other addresses of the interface share with it must be there again.
    let others: smallvec::SmallVec<[IfAddr; 4]> = ifp.addrs(l).iter().copied().collect();
    for other in others {
        if let Some(o) = v4(other) {
            for (to, route) in routes(ifp, o, other.prefix) {
                let _ = insert(l, to, route);
            }
        }
    }
}

fn withdraw_all(cx: &Cx<'_>, ifp: &KArc<Ifnet>, addr: Ipv4Addr, prefix: u8) {
    for (to, _) in routes(ifp, addr, prefix) {
        withdraw(cx, to, ifp);
    }
}

/// An interface was taken down.
pub(crate) fn interface_down(cx: &Cx<'_>, ifp: &KArc<Ifnet>) {
    arp::interfaces::flush(cx, ifp);
}

/// An interface is going.
pub(crate) fn interface_gone(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
    arp::interfaces::detach(l, ifp);
}
