//! Requests about routes.
//!
//! Locking: that of [`config`]. Sources: NetBSD net/rtsock.c; route(8).

use core::net::Ipv4Addr;

use base::{Cx, Errno, Lwp};

use super::layout::{Name, RouteReq, read, rtf, write};
use crate::route::config::{self, Prefix4};
use crate::route::{Route, RouteKind};

fn destination(request: &RouteReq) -> Result<Prefix4, Errno> {
    let len = u8::try_from(request.prefix).map_err(|_| Errno::Invalid)?;
    Ok(Prefix4 { addr: request.dst.into(), len })
}

pub(super) fn add(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: RouteReq = read(data)?;
    let (to, gateway) = (destination(&request)?, Ipv4Addr::from(request.gateway));
    let kind = match request.flags & (rtf::REJECT | rtf::BLACKHOLE) {
        0 => return Ok(config::add(l, to, gateway)?),
        rtf::REJECT => RouteKind::Reject,
        rtf::BLACKHOLE => RouteKind::Blackhole,
        _ => return Err(Errno::Invalid),
    };
    Ok(config::add_dead_end(l, to, gateway, kind)?)
}

pub(super) fn delete(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: RouteReq = read(data)?;
    Ok(config::delete(l, destination(&request)?)?)
}

pub(super) fn get(cx: &Cx<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: RouteReq = read(data)?;
    let (to, route) = config::get(cx, request.dst.into())?;
    write(&answer(to, &route), data)
}

pub(super) fn flush(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    // Room for the answer is looked for before anything is done.
    read::<u32>(data)?;
    write(&u32::try_from(config::flush(l)).unwrap_or(u32::MAX), data)
}

fn answer(to: Prefix4, route: &Route) -> RouteReq {
    let (kind, gateway) = match route.kind {
        RouteKind::Connected => (rtf::CONNECTED, None),
        RouteKind::Gateway(gateway) => (rtf::GATEWAY, Some(gateway)),
        RouteKind::Local => (rtf::LOCAL, None),
        RouteKind::Broadcast => (rtf::BROADCAST, None),
        RouteKind::Reject => (rtf::REJECT, None),
        RouteKind::Blackhole => (rtf::BLACKHOLE, None),
    };
    let host = if to.len == 32 { rtf::HOST } else { 0 };
    let by_hand = if route.is_static { rtf::STATIC } else { 0 };
    RouteReq {
        dst: to.addr.octets(),
        gateway: gateway.unwrap_or(Ipv4Addr::UNSPECIFIED).octets(),
        source: route.source.octets(),
        prefix: to.len.into(),
        flags: rtf::UP | kind | host | by_hand,
        mtu: route.ifp.mtu(),
        name: Name::new(route.ifp.name()),
    }
}
