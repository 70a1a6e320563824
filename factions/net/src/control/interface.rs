//! Requests about interfaces.
//!
//! Locking: that of [`config`]. Sources: NetBSD net/if.c (ifioctl), netinet/in.c (in_control).

use core::net::{IpAddr, Ipv4Addr};

use base::{Cx, Errno, Lwp};

use super::layout::{AddrReq, AliasReq, LINKSTR_LEN, LinkstrReq, Name, inet, read, text, write};
use crate::ifnet::{IfError, config};
use crate::route::config::Prefix4;
use crate::socket::ioctl::classful;

/// At this edge an interface that is not there is ENODEV, as Linux has it for all its requests.
pub(super) fn edge(e: IfError) -> Errno {
    match e {
        IfError::NoInterface => Errno::NotSuchDevice,
        e => e.into(),
    }
}

pub(super) fn create(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let name: Name = read(data)?;
    config::create(l, text(&name.0).ok_or(Errno::Invalid)?).map(|_| ()).map_err(edge)
}

pub(super) fn destroy(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    config::destroy(l, read::<Name>(data)?.text()?).map_err(edge)
}

pub(super) fn set_linkstr(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: LinkstrReq = read(data)?;
    let linkstr = text(&request.linkstr).ok_or(Errno::Invalid)?;
    config::set_linkstr(l, request.name.text()?, linkstr).map_err(edge)
}

/// Only a linkstr that was set in the program itself may have no room here.
pub(super) fn linkstr(cx: &Cx<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let mut request: LinkstrReq = read(data)?;
    let ifp = config::find(cx, request.name.text()?).map_err(edge)?;
    let linkstr = config::linkstr(cx, &ifp);
    if linkstr.len() >= LINKSTR_LEN {
        return Err(Errno::NameTooLong);
    }
    request.linkstr = [0; LINKSTR_LEN];
    request.linkstr.iter_mut().zip(linkstr.bytes()).for_each(|(to, from)| *to = from);
    write(&request, data)
}

pub(super) fn alias_addr(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let (request, addr, prefix) = read_alias(data)?;
    config::alias_addr(l, request.name.text()?, addr, prefix).map_err(edge)
}

pub(super) fn replace_addr(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let (request, addr, prefix) = read_alias(data)?;
    config::replace_addr(l, request.name.text()?, addr, prefix).map_err(edge)
}

fn read_alias(data: &[u8]) -> Result<(AliasReq, IpAddr, u8), Errno> {
    let request: AliasReq = read(data)?;
    let addr = inet(&request.addr)?.ok_or(Errno::NoFamily)?;
    let prefix = match inet(&request.mask)? {
        None => classful(addr),
        Some(mask) => Prefix4::len_of(mask).ok_or(Errno::Invalid)?,
    };
    if let Some(broadcast) = inet(&request.broadcast)? {
        let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        // DIFFERS: BSD takes any. No network has another one since RFC 922.
        if broadcast != Ipv4Addr::from_bits(addr.to_bits() | host) {
            return Err(Errno::Invalid);
        }
    }
    Ok((request, addr.into(), prefix))
}

pub(super) fn delete_addr(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: AddrReq = read(data)?;
    let name = request.name.text()?;
    let ifp = config::find(l, name).map_err(edge)?;
    let addr = inet(&request.addr)?.map(IpAddr::V4);
    let first = || ifp.addrs(l).iter().map(|a| a.addr).find(IpAddr::is_ipv4);
    let addr = addr.or_else(first).ok_or(Errno::AddrNotAvailable)?;
    config::remove_addr(l, name, addr).map_err(|e| match e {
        IfError::Invalid => Errno::AddrNotAvailable,
        e => edge(e),
    })
}
