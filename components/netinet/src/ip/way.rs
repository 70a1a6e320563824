//! Which way packets of this kernel leave.
//!
//! * [`Out`]: what their sender says about that.  * `route`: the route, and the address to send from.
//!
//! A sender that is bound to an interface (SO_BINDTODEVICE) sends by no other. Of routes only those by
//! that interface count for it; where none leads there, the destination is taken to be on its link, as
//! Linux does: the interface was chosen by somebody who knows. DIFFERS: what a route refuses stays
//! refused, and nothing for 127/8 leaves by another interface than lo0.
//!
//! Locking: one look at a time. Sources: RFC 1122 §3.3.1, §3.2.1.3; RFC 1112 §6.1; Linux socket(7),
//! and its ip_route_output_key for what is on a link.

use core::net::Ipv4Addr;

use base::{Cx, KArc};
use net::Ifnet;
use net::ifnet::{IfFlags, IfKind, config};
use net::route::{Route, RouteKind, lookup4, lookup4_by};

use super::input::can_broadcast;
use super::output::SendError;
use crate::arp::local;

/// What a sender says about the way of its packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Out {
    /// The index of the only interface that they may leave by (SO_BINDTODEVICE); 0: as routes say.
    pub device: u32,
    /// The index of the interface that those for a group leave by (IP_MULTICAST_IF); 0: that of the
    /// sender's address, or the first that can send to many.
    pub group_if: u32,
    /// Whether this kernel gets a copy of those for a group, if it is in the group.
    pub loops: bool,
}

impl Default for Out {
    fn default() -> Self {
        Self { device: 0, group_if: 0, loops: true }
    }
}

impl Out {
    /// As routes say, but for the interface that is said, if one is.
    pub(crate) fn by(device: u32) -> Self {
        Self { device, ..Self::default() }
    }

    /// The only interface for a packet to `dst`; 0: any.
    fn only(self, dst: Ipv4Addr) -> u32 {
        match self.device {
            0 if dst.is_multicast() => self.group_if,
            device => device,
        }
    }
}

/// The address that a packet to `dst` is sent from, unless its sender chooses another.
pub(crate) fn source(cx: &Cx<'_>, dst: Ipv4Addr, out: Out) -> Result<Ipv4Addr, SendError> {
    Ok(route(cx, dst, None, out)?.source)
}

/// The interface that packets for a group leave by, unless their sender chooses another.
pub(crate) fn interface_for(cx: &Cx<'_>, group: Ipv4Addr) -> Option<KArc<Ifnet>> {
    route(cx, group, None, Out::default()).ok().map(|r| r.ifp)
}

/// The route to one host, if there is one; `device` as in [`Out`].
pub(crate) fn to_host(cx: &Cx<'_>, dst: Ipv4Addr, device: u32) -> Option<Route> {
    match device {
        0 => lookup4(cx, dst),
        _ => route(cx, dst, None, Out::by(device)).ok(),
    }
}

/// The route to `dst`, for a packet that may be sent from `src`.
#[inline]
pub(crate) fn route(
    cx: &Cx<'_>,
    dst: Ipv4Addr,
    src: Option<Ipv4Addr>,
    out: Out,
) -> Result<Route, SendError> {
    if dst.octets()[0] == 0 {
        // RFC 1122 §3.2.1.3 (a), (b): "this host" and "this network" are never a destination, not
        // even with a default route.
        return Err(SendError::NoRoute);
    }
    let only = out.only(dst);
    if only != 0 {
        return by_interface(cx, dst, only);
    }
    if !dst.is_broadcast() && !dst.is_multicast() {
        return lookup4(cx, dst).ok_or(SendError::NoRoute);
    }
    to_many(cx, src)
}

/// The route of broadcasts without a network, and of groups: by the first interface that can broadcast,
/// or by the one that has the address `src`.
#[cold]
fn to_many(cx: &Cx<'_>, src: Option<Ipv4Addr>) -> Result<Route, SendError> {
    if let Some(r) = src.and_then(|s| lookup4(cx, s)).filter(|r| r.kind == RouteKind::Local) {
        return Ok(Route { kind: RouteKind::Broadcast, ..r });
    }
    for ifp in config::list(cx).filter(|i| can_broadcast(i.flags())) {
        if let Some(source) = first_address(cx, &ifp) {
            let kind = RouteKind::Broadcast;
            return Ok(Route { kind, source, is_static: false, ifp });
        }
    }
    Err(SendError::NoRoute)
}

fn first_address(cx: &Cx<'_>, ifp: &Ifnet) -> Option<Ipv4Addr> {
    ifp.addrs(cx).iter().find_map(local::of).map(|local| local.addr)
}

/// The same by one interface only.
#[cold]
fn by_interface(cx: &Cx<'_>, dst: Ipv4Addr, index: u32) -> Result<Route, SendError> {
    let ifp = config::by_index(cx, index)?;
    if !ifp.flags().contains(IfFlags::UP) {
        return Err(SendError::NoRoute);
    }
    let to_many = dst.is_broadcast() || dst.is_multicast();
    if !to_many {
        if let Some(route) = lookup4_by(cx, dst, index) {
            return Ok(route);
        }
        // RFC 1122 §3.2.1.3 (g); and behind lo0 there is nothing but what its routes say.
        if dst.is_loopback() || ifp.kind() == IfKind::Loopback {
            return Err(SendError::NoRoute);
        }
    }
    // A second interface in a network has no route there, but an address.
    let near = ifp.addrs(cx).iter().filter_map(local::of).find(|local| local.is_on_link(dst));
    let to_many = to_many || near.is_some_and(|local| local.is_broadcast(dst));
    let own = near.map(|local| local.addr).or_else(|| first_address(cx, &ifp));
    let source = match own.or_else(|| borrowed_address(cx)) {
        Some(source) => source,
        // RFC 1122 §3.2.1.3 (a): who has no address yet may ask everybody for one.
        None if to_many => Ipv4Addr::UNSPECIFIED,
        None => return Err(SendError::NoRoute),
    };
    let kind = if to_many { RouteKind::Broadcast } else { RouteKind::Connected };
    Ok(Route { kind, source, is_static: false, ifp })
}

/// The address of an interface that has none: another one's, as on Linux.
#[cold]
fn borrowed_address(cx: &Cx<'_>) -> Option<Ipv4Addr> {
    let mut others = config::list(cx).filter(|ifp| ifp.kind() != IfKind::Loopback);
    others.find_map(|ifp| first_address(cx, &ifp))
}
