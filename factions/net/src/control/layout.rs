//! The memory of requests, as programs lay it out.
//!
//! * [`read()`], [`write()`]: between a request's bytes and one of these.
//!
//! Numbers have the machine's byte order, addresses the network's. Any bytes are a value of each
//! type; what they mean is looked at where they are used.
//!
//! Locking: none; bytes only.
//! DIFFERS: NetBSD's `ifreq` and `rtentry` have a `sockaddr` of any family; its `ifdrv` has a
//! pointer, which would cost a remote caller another round trip.

use core::net::{Ipv4Addr, SocketAddr};

use base::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ifnet::NAME_MAX;
use crate::socket::sockaddr;

/// Room for a linkstr, with the zero at its end.
pub const LINKSTR_LEN: usize = 256;

/// An interface's name, filled with zeros.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct Name(pub [u8; NAME_MAX + 1]);

/// SIOCSLINKSTR, SIOCGLINKSTR.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct LinkstrReq {
    /// The interface.
    pub name: Name,
    /// What it is connected to, up to a zero.
    pub linkstr: [u8; LINKSTR_LEN],
}

/// SIOCSLINK, SIOCGLINK: [`crate::link::Character`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct LinkReq {
    /// The interface.
    pub name: Name,
    /// Which of the others are meant: see [`link`].
    pub set: u32,
    /// [`link::UNIFORM`] or [`link::NORMAL`].
    pub distribution: u32,
    /// In nanoseconds.
    pub delay: u64,
    /// In nanoseconds.
    pub jitter: u64,
    /// In bits a second; 0: no limit.
    pub rate: u64,
    /// In bytes; 0: no limit.
    pub buffer: u64,
    /// In billionths.
    pub loss: u32,
    /// In packets; 0: losses do not come in bursts.
    pub burst: u32,
    /// In billionths.
    pub reorder: u32,
    /// In billionths.
    pub duplicate: u32,
    /// In billionths.
    pub corrupt: u32,
    /// In packets; 0: the usual number.
    pub limit: u32,
}

/// Bits of a [`LinkReq`], and its distributions.
#[allow(missing_docs)]
pub mod link {
    pub const DELAY: u32 = 0x1;
    pub const JITTER: u32 = 0x2;
    pub const DISTRIBUTION: u32 = 0x4;
    pub const RATE: u32 = 0x8;
    pub const LOSS: u32 = 0x10;
    pub const BURST: u32 = 0x20;
    pub const REORDER: u32 = 0x40;
    pub const DUPLICATE: u32 = 0x80;
    pub const CORRUPT: u32 = 0x100;
    pub const LIMIT: u32 = 0x200;
    pub const BUFFER: u32 = 0x400;
    /// First of all, what was set before is forgotten.
    pub const FORGET: u32 = 0x8000_0000;
    pub const ALL: u32 = FORGET | (BUFFER * 2 - 1);
    pub const UNIFORM: u32 = 0;
    pub const NORMAL: u32 = 1;
}

/// A `sockaddr_in`.
pub type SockaddrIn = [u8; sockaddr::INET_LEN];

/// SIOCDIFADDR.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct AddrReq {
    /// The interface.
    pub name: Name,
    /// The address; of no family (zeros): the first one.
    pub addr: SockaddrIn,
}

/// SIOCAIFADDR, SIOCRIFADDR.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
#[doc(alias = "ifaliasreq")]
pub struct AliasReq {
    /// The interface.
    pub name: Name,
    /// The address.
    pub addr: SockaddrIn,
    /// The broadcast address; of no family: the one that follows.
    pub broadcast: SockaddrIn,
    /// The mask; of no family: that of the address's class.
    pub mask: SockaddrIn,
}

/// SIOCADDRT, SIOCDELRT, SIOCGETRT.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct RouteReq {
    /// The destination.
    pub dst: [u8; 4],
    /// The neighbour; zeros where there is none.
    pub gateway: [u8; 4],
    /// The address to send from; answers only.
    pub source: [u8; 4],
    /// How many bits of the destination count.
    pub prefix: u32,
    /// See [`rtf`].
    pub flags: u32,
    /// The interface's MTU; answers only.
    pub mtu: u32,
    /// The interface; answers only.
    pub name: Name,
}

/// Flags of routes, with NetBSD's values.
#[allow(missing_docs)]
pub mod rtf {
    pub const UP: u32 = 0x1;
    pub const GATEWAY: u32 = 0x2;
    pub const HOST: u32 = 0x4;
    pub const REJECT: u32 = 0x8;
    pub const CONNECTED: u32 = 0x100;
    pub const STATIC: u32 = 0x800;
    pub const BLACKHOLE: u32 = 0x1000;
    pub const LOCAL: u32 = 0x40000;
    pub const BROADCAST: u32 = 0x80000;
}

impl Name {
    /// The name `text`, cut to what fits.
    pub fn new(text: &str) -> Name {
        let mut name = Name::default();
        name.0.iter_mut().zip(text.bytes().take(NAME_MAX)).for_each(|(to, from)| *to = from);
        name
    }

    /// The text up to the first zero; `NotSuchDevice` if that cannot be a name.
    pub fn text(&self) -> Result<&str, Errno> {
        text(&self.0).ok_or(Errno::NotSuchDevice)
    }
}

/// The text up to the first zero, which has to be there.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|b| *b == 0)?;
    core::str::from_utf8(bytes.get(..end)?).ok()
}

/// The IPv4 address in a `sockaddr_in`; `None` if it has no family.
pub(super) fn inet(addr: &SockaddrIn) -> Result<Option<Ipv4Addr>, Errno> {
    match sockaddr::parse(addr)? {
        None => Ok(None),
        Some(SocketAddr::V4(a)) => Ok(Some(*a.ip())),
        Some(SocketAddr::V6(_)) => Err(Errno::NoFamily),
    }
}

/// The request in `data`; `Invalid` if it has another size.
pub fn read<T: FromBytes>(data: &[u8]) -> Result<T, Errno> {
    T::read_from_bytes(data).map_err(|_| Errno::Invalid)
}

/// Puts an answer into `data`; `Invalid` if it has another size.
pub fn write<T: IntoBytes + Immutable>(answer: &T, data: &mut [u8]) -> Result<(), Errno> {
    answer.write_to(data).map_err(|_| Errno::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::request as r;

    #[test]
    fn numbers_are_as_the_documentation_has_them() {
        for (number, documented) in [
            (r::SIOCIFCREATE, 0x4010_697a),
            (r::SIOCIFDESTROY, 0x4010_6979),
            (r::SIOCGLINKSTR, 0xc110_6987),
            (r::SIOCSLINKSTR, 0x4110_6988),
            (r::SIOCGLINK, 0xc050_69be),
            (r::SIOCSLINK, 0x4050_69bf),
            (r::SIOCDIFADDR, 0x4020_6919),
            (r::SIOCAIFADDR, 0x4040_691a),
            (r::SIOCRIFADDR, 0x4040_691b),
            (r::SIOCADDRT, 0x4028_720a),
            (r::SIOCDELRT, 0x4028_720b),
            (r::SIOCGETRT, 0xc028_720c),
            (r::SIOCFLUSHRT, 0x8004_720d),
        ] {
            assert_eq!(number, documented, "{number:#x}");
        }
    }

    #[test]
    fn names_end_with_a_zero() {
        assert_eq!(Name::new("lo0").text(), Ok("lo0"));
        assert_eq!(Name::new("a-very-long-name-indeed").text(), Ok("a-very-long-nam"));
        assert_eq!(Name([b'x'; 16]).text(), Err(Errno::NotSuchDevice));
        assert_eq!(Name([0xff; 16]).text(), Err(Errno::NotSuchDevice));
        assert!(read::<Name>(&[0; 15]).is_err() && write(&Name::default(), &mut [0; 17]).is_err());
    }
}
