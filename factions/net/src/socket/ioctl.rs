//! What programs ask about interfaces through a socket.
//!
//! The requests carry a struct ifreq: a name, then what the request is about. SIOCGIFCONF, whose
//! answer lies behind a pointer, is not among them; SIOCGIFNAME goes through all interfaces.
//! What changes more than that is in [`control`], or the family's own ([`domain::Domain::ioctl`]).
//!
//! Locking: none held. Sources: Linux netdevice(7), asm-generic/sockios.h.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::{Cx, Errno, KArc, Lwp};

use super::{Socket, sockaddr};
use crate::Ifnet;
use crate::component::NET;
use crate::ifnet::{IfAddr, IfFlags, IfKind, NAME_MAX, config};
use crate::route::config::Prefix4;
use crate::{control, domain};

/// Length of a name in a request, with the zero at its end.
const IFNAMSIZ: usize = NAME_MAX + 1;
/// Length of what follows it.
const VALUE: usize = 24;

/// Request numbers.
#[allow(missing_docs)]
pub mod request {
    pub const FIONREAD: u32 = 0x541b;
    pub const SIOCGIFNAME: u32 = 0x8910;
    pub const SIOCGIFFLAGS: u32 = 0x8913;
    pub const SIOCSIFFLAGS: u32 = 0x8914;
    pub const SIOCGIFADDR: u32 = 0x8915;
    pub const SIOCSIFADDR: u32 = 0x8916;
    pub const SIOCGIFBRDADDR: u32 = 0x8919;
    pub const SIOCGIFNETMASK: u32 = 0x891b;
    pub const SIOCSIFNETMASK: u32 = 0x891c;
    pub const SIOCGIFMTU: u32 = 0x8921;
    pub const SIOCSIFMTU: u32 = 0x8922;
    pub const SIOCGIFHWADDR: u32 = 0x8927;
    pub const SIOCGIFINDEX: u32 = 0x8933;
}
use request as r;

/// ARPHRD numbers of link layers.
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;

/// Answers a request on a socket.
pub(super) fn socket(
    l: &mut Lwp<'_>,
    so: &Socket,
    number: u32,
    data: &mut [u8],
) -> Result<(), Errno> {
    if number == r::FIONREAD {
        let state = so.state(l);
        // Of messages, the length of the next one.
        let n = match so.proto().kind {
            super::SockType::Stream => state.rcv.len(),
            _ => state.rcv.front().map_or(0, |r| r.packet.len()),
        };
        super::options::put_int(data, i32::try_from(n).unwrap_or(i32::MAX));
        return Ok(());
    }
    if number >> 8 == 0x89 {
        return interface(l, number, data);
    }
    if control::ioctl(l, number, data)? {
        return Ok(());
    }
    let family = so.proto().family;
    let domain = domain::of(l).find(|d| d.family == family).ok_or(Errno::NotTerminal)?;
    (domain.ioctl)(l, number, data)
}

fn interface(l: &mut Lwp<'_>, number: u32, data: &mut [u8]) -> Result<(), Errno> {
    let (name, value) = data.split_first_chunk_mut::<IFNAMSIZ>().ok_or(Errno::Invalid)?;
    let value = value.first_chunk_mut::<VALUE>().ok_or(Errno::Invalid)?;
    if number == r::SIOCGIFNAME {
        let index = u32::from_ne_bytes(*value.first_chunk().ok_or(Errno::Invalid)?);
        let ifp = l.get(&NET).ifnets.by_index(l, index).ok_or(Errno::NotSuchDevice)?;
        *name = [0; IFNAMSIZ];
        name.iter_mut().zip(ifp.name().bytes()).for_each(|(to, from)| *to = from);
        return Ok(());
    }
    let end = name.iter().position(|b| *b == 0).unwrap_or(NAME_MAX);
    let text = core::str::from_utf8(name.get(..end).unwrap_or_default());
    let text = text.map_err(|_| Errno::NotSuchDevice)?;
    let ifp = config::find(l, text).map_err(|_| Errno::NotSuchDevice)?;
    if get(l, &ifp, number, value)? {
        return Ok(());
    }
    if !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    set(l, &ifp, number, value)
}

/// Answers a question; false if the request is none.
fn get(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    number: u32,
    value: &mut [u8; VALUE],
) -> Result<bool, Errno> {
    match number {
        r::SIOCGIFFLAGS => put(value, &(ifp.flags().bits() as u16).to_ne_bytes()),
        r::SIOCGIFMTU => put(value, &ifp.mtu().to_ne_bytes()),
        r::SIOCGIFINDEX => put(value, &ifp.index().to_ne_bytes()),
        r::SIOCGIFADDR => put_addr(value, first(cx, ifp)?.0),
        r::SIOCGIFNETMASK => put_addr(value, mask(first(cx, ifp)?.1)),
        r::SIOCGIFBRDADDR => {
            let (addr, prefix) = first(cx, ifp)?;
            let host = !mask(prefix).to_bits();
            put_addr(value, Ipv4Addr::from_bits(Prefix4::of(addr, prefix).addr.to_bits() | host));
        }
        r::SIOCGIFHWADDR => {
            let kind = match ifp.kind() {
                IfKind::Ethernet => ARPHRD_ETHER,
                IfKind::Loopback => ARPHRD_LOOPBACK,
            };
            put(value, &kind.to_ne_bytes());
            put(value.get_mut(2..).unwrap_or_default(), &ifp.lladdr().0);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn set(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, number: u32, value: &[u8; VALUE]) -> Result<(), Errno> {
    let name = ifp.name();
    match number {
        r::SIOCSIFFLAGS => {
            let flags = u16::from_ne_bytes(*value.first_chunk().ok_or(Errno::Invalid)?);
            let flags = IfFlags::from_bits_truncate(flags.into());
            Ok(config::set_up(l, name, flags.contains(IfFlags::UP))?)
        }
        r::SIOCSIFMTU => {
            let mtu = u32::from_ne_bytes(*value.first_chunk().ok_or(Errno::Invalid)?);
            Ok(config::set_mtu(l, name, mtu)?)
        }
        r::SIOCSIFADDR => {
            let addr = inet(value)?;
            Ok(config::replace_addr(l, name, addr.into(), classful(addr))?)
        }
        r::SIOCSIFNETMASK => {
            let prefix = Prefix4::len_of(inet(value)?).ok_or(Errno::Invalid)?;
            let (addr, _) = first(l, ifp)?;
            Ok(config::alias_addr(l, name, addr.into(), prefix)?)
        }
        _ => Err(Errno::NotTerminal),
    }
}

/// The interface's first IPv4 address.
fn first(cx: &Cx<'_>, ifp: &Ifnet) -> Result<(Ipv4Addr, u8), Errno> {
    let v4 = |a: &IfAddr| match a.addr {
        IpAddr::V4(addr) => Some((addr, a.prefix)),
        IpAddr::V6(_) => None,
    };
    ifp.addrs(cx).iter().find_map(v4).ok_or(Errno::AddrNotAvailable)
}

fn inet(value: &[u8; VALUE]) -> Result<Ipv4Addr, Errno> {
    match sockaddr::parse(value)? {
        Some(SocketAddr::V4(a)) => Ok(*a.ip()),
        _ => Err(Errno::NoFamily),
    }
}

fn mask(prefix: u8) -> Ipv4Addr {
    Prefix4::of(Ipv4Addr::BROADCAST, prefix).addr
}

/// The prefix of an address that is set without one, as programs expect that set a mask next.
pub(crate) fn classful(addr: Ipv4Addr) -> u8 {
    match addr.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        _ => 24,
    }
}

fn put(value: &mut [u8], bytes: &[u8]) {
    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

fn put_addr(value: &mut [u8], addr: Ipv4Addr) {
    put(value, &sockaddr::emit(&SocketAddr::from((addr, 0))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_classes() {
        assert_eq!(mask(24), Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(mask(0), Ipv4Addr::UNSPECIFIED);
        assert_eq!(mask(32), Ipv4Addr::BROADCAST);
        let class = |text: &str| classful(text.parse().unwrap());
        assert_eq!((class("10.0.0.1"), class("172.16.0.1"), class("192.168.0.1")), (8, 16, 24));
    }
}
