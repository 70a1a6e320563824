//! The requests that do a whole job each, as bytes.
//!
//! Locking: none. Sources: factions/net/CONTROL.md (requests, their memory).

use std::net::Ipv4Addr;

use character::{Character, Key};

use crate::failure::Failure;

pub(crate) const SIOCSIFFLAGS: u32 = 0x8914;
pub(crate) const SIOCSIFMTU: u32 = 0x8922;
pub(crate) const SIOCIFCREATE: u32 = 0x4010_697a;
pub(crate) const SIOCIFDESTROY: u32 = 0x4010_6979;
pub(crate) const SIOCSLINKSTR: u32 = 0x4110_6988;
pub(crate) const SIOCSLINK: u32 = 0x4050_69bf;
pub(crate) const SIOCAIFADDR: u32 = 0x4040_691a;
pub(crate) const SIOCRIFADDR: u32 = 0x4040_691b;
pub(crate) const SIOCDIFADDR: u32 = 0x4020_6919;
pub(crate) const SIOCADDRT: u32 = 0x4028_720a;
pub(crate) const SIOCDELRT: u32 = 0x4028_720b;
pub(crate) const SIOCGETRT: u32 = 0xc028_720c;
pub(crate) const SIOCFLUSHRT: u32 = 0x8004_720d;
pub(crate) const SIOCSARP: u32 = 0x401c_691e;
pub(crate) const SIOCDARP: u32 = 0x401c_6920;
pub(crate) const SIOCGARP: u32 = 0xc01c_6926;
pub(crate) const SIOCFLUSHARP: u32 = 0x8004_6927;
pub(crate) const SIOCBRDGADD: u32 = 0x4020_69c0;
pub(crate) const SIOCBRDGDEL: u32 = 0x4020_69c1;
pub(crate) const SIOCBRDGFLUSH: u32 = 0x4010_69c2;
pub(crate) const SIOCBRDGSCACHE: u32 = 0x4014_69c3;
pub(crate) const SIOCBRDGSTO: u32 = 0x4014_69c4;
pub(crate) const SIOCSETVLAN: u32 = 0x4024_69c8;

const NAME_LEN: usize = 16;
const LINKSTR_LEN: usize = 256;
const AF_INET: u16 = 2;

/// Flags of a route.
pub(crate) mod flags {
    pub(crate) const UP: u32 = 1;
    pub(crate) const GATEWAY: u32 = 2;
    pub(crate) const HOST: u32 = 4;
    pub(crate) const REJECT: u32 = 8;
    pub(crate) const CONNECTED: u32 = 0x100;
    pub(crate) const STATIC: u32 = 0x800;
    pub(crate) const BLACKHOLE: u32 = 0x1000;
    pub(crate) const LOCAL: u32 = 0x4_0000;
    pub(crate) const BROADCAST: u32 = 0x8_0000;
}

/// Flags of an entry of arp: the link address is known; it is static.
pub(crate) const ARP_KNOWN: u16 = 2;
pub(crate) const ARP_STATIC: u16 = 4;

/// An interface's name.
pub(crate) type Name = [u8; NAME_LEN];

/// A name, filled with zeros.
pub(crate) fn name(text: &str) -> Result<Name, Failure> {
    let mut name = [0; NAME_LEN];
    if text.is_empty() || text.len() >= NAME_LEN || text.contains('\0') {
        let message = format!("\"{text}\" is no interface's name: 1 to {} bytes", NAME_LEN - 1);
        return Err(Failure::misuse(message));
    }
    put(&mut name, 0, text.as_bytes());
    Ok(name)
}

/// Memory of SIOCSIFFLAGS and SIOCSIFMTU.
pub(crate) fn ifreq(name: &Name, value: u32) -> [u8; 40] {
    let mut raw = [0; 40];
    put(&mut raw, 0, name);
    put(&mut raw, NAME_LEN, &value.to_ne_bytes());
    raw
}

/// Memory of SIOCSLINKSTR.
pub(crate) fn linkstr(name: &Name, text: &str) -> Result<[u8; NAME_LEN + LINKSTR_LEN], Failure> {
    if text.len() >= LINKSTR_LEN || text.contains('\0') {
        let message = format!("a linkstr has {} bytes at most, and no zero", LINKSTR_LEN - 1);
        return Err(Failure::misuse(message));
    }
    let mut raw = [0; NAME_LEN + LINKSTR_LEN];
    put(&mut raw, 0, name);
    put(&mut raw, NAME_LEN, text.as_bytes());
    Ok(raw)
}

/// Memory of SIOCSLINK; `forget`: first, the link is a plain wire again.
pub(crate) fn link(name: &Name, forget: bool, character: &Character) -> [u8; 80] {
    let mut raw = [0; 80];
    let mut set = if forget { 0x8000_0000 } else { 0_u32 };
    put(&mut raw, 0, name);
    for key in Key::ALL {
        let Some(value) = character.get(key) else { continue };
        set |= 1 << key as u32;
        let (at, len) = match key {
            Key::Distribution => (20, 4),
            Key::Delay => (24, 8),
            Key::Jitter => (32, 8),
            Key::Rate => (40, 8),
            Key::Buffer => (48, 8),
            Key::Loss => (56, 4),
            Key::Burst => (60, 4),
            Key::Reorder => (64, 4),
            Key::Duplicate => (68, 4),
            Key::Corrupt => (72, 4),
            Key::Limit => (76, 4),
        };
        match len {
            8 => put(&mut raw, at, &value.to_ne_bytes()),
            // The words allow no more.
            _ => put(&mut raw, at, &u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes()),
        }
    }
    put(&mut raw, NAME_LEN, &set.to_ne_bytes());
    raw
}

/// Memory of SIOCDIFADDR; no address: the first.
pub(crate) fn address(name: &Name, addr: Option<Ipv4Addr>) -> [u8; 32] {
    let mut raw = [0; 32];
    put(&mut raw, 0, name);
    put(&mut raw, 16, &sockaddr(addr));
    raw
}

/// Memory of SIOCAIFADDR and SIOCRIFADDR.
pub(crate) fn alias(
    name: &Name,
    addr: Ipv4Addr,
    broadcast: Option<Ipv4Addr>,
    mask: Option<Ipv4Addr>,
) -> [u8; 64] {
    let mut raw = [0; 64];
    put(&mut raw, 0, name);
    put(&mut raw, 16, &sockaddr(Some(addr)));
    put(&mut raw, 32, &sockaddr(broadcast));
    put(&mut raw, 48, &sockaddr(mask));
    raw
}

/// Memory of SIOCBRDGADD and SIOCBRDGDEL.
pub(crate) fn member(bridge: &Name, member: &Name) -> [u8; 2 * NAME_LEN] {
    let mut raw = [0; 2 * NAME_LEN];
    put(&mut raw, 0, bridge);
    put(&mut raw, NAME_LEN, member);
    raw
}

/// Memory of SIOCBRDGSCACHE and SIOCBRDGSTO.
pub(crate) fn number(bridge: &Name, value: u32) -> [u8; NAME_LEN + 4] {
    let mut raw = [0; NAME_LEN + 4];
    put(&mut raw, 0, bridge);
    put(&mut raw, NAME_LEN, &value.to_ne_bytes());
    raw
}

/// Memory of SIOCSETVLAN; no interface below: disconnects.
pub(crate) fn vlan(name: &Name, below: Option<&Name>, number: u16) -> [u8; 2 * NAME_LEN + 4] {
    let mut raw = [0; 2 * NAME_LEN + 4];
    put(&mut raw, 0, name);
    put(&mut raw, NAME_LEN, below.map_or(&[], |below| below.as_slice()));
    put(&mut raw, 2 * NAME_LEN, &number.to_ne_bytes());
    raw
}

/// A route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) dst: Ipv4Addr,
    pub(crate) prefix: u8,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) source: Ipv4Addr,
    pub(crate) flags: u32,
    pub(crate) mtu: u32,
    pub(crate) interface: String,
}

impl Route {
    /// To a destination; the rest is to be filled in.
    pub(crate) fn to(dst: Ipv4Addr, prefix: u8) -> Route {
        let (gateway, source) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        Route { dst, prefix, gateway, source, flags: 0, mtu: 0, interface: String::new() }
    }

    /// Memory of the requests of routes.
    pub(crate) fn to_bytes(&self) -> [u8; 40] {
        let mut raw = [0; 40];
        put(&mut raw, 0, &self.dst.octets());
        put(&mut raw, 4, &self.gateway.octets());
        put(&mut raw, 8, &self.source.octets());
        put(&mut raw, 12, &u32::from(self.prefix).to_ne_bytes());
        put(&mut raw, 16, &self.flags.to_ne_bytes());
        put(&mut raw, 20, &self.mtu.to_ne_bytes());
        put(&mut raw, 24, self.interface.as_bytes());
        raw
    }

    pub(crate) fn parse(raw: &[u8; 40]) -> Route {
        Route {
            dst: Ipv4Addr::from(four(raw, 0)),
            gateway: Ipv4Addr::from(four(raw, 4)),
            source: Ipv4Addr::from(four(raw, 8)),
            prefix: u32::from_ne_bytes(four(raw, 12)).try_into().unwrap_or(u8::MAX),
            flags: u32::from_ne_bytes(four(raw, 16)),
            mtu: u32::from_ne_bytes(four(raw, 20)),
            interface: text(raw.get(24..).unwrap_or_default()),
        }
    }
}

/// What is known of a neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Arp {
    pub(crate) addr: Ipv4Addr,
    pub(crate) link: [u8; 6],
    pub(crate) flags: u16,
    pub(crate) interface: String,
}

impl Arp {
    /// Of an address; the rest is to be filled in.
    pub(crate) fn of(addr: Ipv4Addr) -> Arp {
        Arp { addr, link: [0; 6], flags: 0, interface: String::new() }
    }

    /// Memory of the requests of arp.
    pub(crate) fn to_bytes(&self) -> [u8; 28] {
        let mut raw = [0; 28];
        put(&mut raw, 0, &self.addr.octets());
        put(&mut raw, 4, &self.link);
        put(&mut raw, 10, &self.flags.to_ne_bytes());
        put(&mut raw, 12, self.interface.as_bytes());
        raw
    }

    pub(crate) fn parse(raw: &[u8; 28]) -> Arp {
        let (low, high) = (four(raw, 4), four(raw, 8));
        Arp {
            addr: Ipv4Addr::from(four(raw, 0)),
            link: [low[0], low[1], low[2], low[3], high[0], high[1]],
            flags: u16::from_ne_bytes([high[2], high[3]]),
            interface: text(raw.get(12..).unwrap_or_default()),
        }
    }
}

fn sockaddr(addr: Option<Ipv4Addr>) -> [u8; 16] {
    let mut raw = [0; 16];
    if let Some(addr) = addr {
        put(&mut raw, 0, &AF_INET.to_ne_bytes());
        put(&mut raw, 4, &addr.octets());
    }
    raw
}

/// Puts bytes at a place; what does not fit is left away.
fn put(raw: &mut [u8], at: usize, bytes: &[u8]) {
    raw.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}

fn four(raw: &[u8], at: usize) -> [u8; 4] {
    raw.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

fn text(raw: &[u8]) -> String {
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(raw.len());
    String::from_utf8_lossy(raw.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_how_long_their_memory_is() {
        let name = name("shmif0").unwrap();
        let len = |request: u32| (request >> 16 & 0x3fff) as usize;
        assert_eq!(len(SIOCIFCREATE), name.len());
        assert_eq!(len(SIOCSLINKSTR), linkstr(&name, "bus").unwrap().len());
        assert_eq!(len(SIOCSLINK), link(&name, true, &Character::default()).len());
        assert_eq!(len(SIOCDIFADDR), address(&name, None).len());
        assert_eq!(len(SIOCAIFADDR), alias(&name, [1, 2, 3, 4].into(), None, None).len());
        assert_eq!(len(SIOCGETRT), Route::to([1, 2, 3, 4].into(), 32).to_bytes().len());
        assert_eq!(len(SIOCBRDGADD), member(&name, &name).len());
        assert_eq!(len(SIOCBRDGSTO), number(&name, 1).len());
        assert_eq!(len(SIOCSETVLAN), vlan(&name, None, 1).len());
        assert_eq!(len(SIOCGARP), Arp::of([1, 2, 3, 4].into()).to_bytes().len());
    }

    #[test]
    fn fields_are_where_they_belong() {
        let name = name("shmif0").unwrap();
        let raw = alias(&name, [1, 2, 3, 4].into(), None, Some([255, 255, 255, 0].into()));
        assert_eq!(raw[..8], *b"shmif0\0\0");
        assert_eq!(raw[16..24], [2, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(raw[32..48], [0; 16]);
        assert_eq!(raw[52..56], [255, 255, 255, 0]);
        let route = Route {
            gateway: [1, 2, 3, 5].into(),
            source: [1, 2, 3, 6].into(),
            flags: flags::STATIC,
            mtu: 1500,
            interface: "shmif0".into(),
            ..Route::to([1, 2, 0, 0].into(), 16)
        };
        assert_eq!(Route::parse(&route.to_bytes()), route);
        let (link, interface) = ([1, 2, 3, 4, 5, 6], "shmif1".into());
        let arp = Arp { link, flags: ARP_KNOWN, interface, ..Arp::of([1, 2, 3, 4].into()) };
        assert_eq!(Arp::parse(&arp.to_bytes()), arp);
        let mut character = Character::default();
        Key::ALL.into_iter().for_each(|key| character.set(key, 0x0102 + key as u64));
        let raw = super::link(&name, false, &character);
        assert_eq!(four(&raw, 16), 0x7ff_u32.to_ne_bytes());
        assert_eq!(four(&raw, 20), 0x104_u32.to_ne_bytes());
        assert_eq!(raw[24..32], 0x102_u64.to_ne_bytes());
        assert_eq!(four(&raw, 56), 0x106_u32.to_ne_bytes());
        assert_eq!(four(&raw, 76), 0x10b_u32.to_ne_bytes());
        let raw = super::link(&name, true, &Character::default());
        assert_eq!((four(&raw, 16), &raw[20..]), (0x8000_0000_u32.to_ne_bytes(), &[0; 60][..]));
    }

    #[test]
    fn texts_fit() {
        assert!(name("").is_err() && name("0123456789abcdef").is_err());
        let name = name("0123456789abcde").unwrap();
        assert!(linkstr(&name, &"x".repeat(255)).is_ok());
        assert!(linkstr(&name, &"x".repeat(256)).is_err());
    }
}
