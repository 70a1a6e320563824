//! The Ethernet frame: addresses, types, the 14-byte header.
//!
//! * [`EtherHeader::parse`] splits a frame into header and payload;
//! * `as_bytes` (of zerocopy) emits it; `mut_from_prefix` changes it in place.
//!
//! A frame with an 802.1Q tag is recognised by its type and is not for anybody without a VLAN
//! interface; the tag is not looked into here.
//!
//! Locking: none; bytes only.
//! Sources: IEEE 802.3 §3.2; IEEE 802.1Q §9.4; RFC 894; RFC 1112 §6.4; RFC 2464 §7.

use core::fmt;
use core::net::Ipv4Addr;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of the header.
pub const HEADER_LEN: usize = 14;
/// Length of an 802.1Q tag.
pub const TAG_LEN: usize = 4;

/// Largest payload of a frame that is not a jumbo frame.
pub const MTU: usize = 1500;

/// Smallest payload on a real wire; shorter ones are padded (RFC 894).
pub const MIN_PAYLOAD: usize = 46;

/// A frame that is too short for its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// A link address of six bytes.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Everybody on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// No address at all.
    pub const ZERO: Self = Self([0; 6]);

    /// Whether the frame goes to everybody.
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// Whether it names a group, as the broadcast address does.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it can be the address of one station: not a group and not zero.
    pub fn is_unicast(self) -> bool {
        !self.is_multicast() && self != Self::ZERO
    }

    /// Whether it was made up here and not bought (the "local" bit).
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// A unicast address with the local bit, from 46 bits of `seed`.
    pub const fn local(seed: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = seed.to_be_bytes();
        Self([a & 0xfc | 2, b, c, d, e, f])
    }

    /// The group address of an IPv4 multicast address: its low 23 bits (RFC 1112 §6.4).
    pub const fn ipv4_multicast(group: Ipv4Addr) -> Self {
        let [_, b, c, d] = group.octets();
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// The group address of an IPv6 multicast address: its low 32 bits (RFC 2464 §7).
    pub const fn ipv6_multicast(group: core::net::Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// Address resolution.
    pub const ARP: Self = Self(0x0806);
    /// An 802.1Q tag, then the true type.
    pub const VLAN: Self = Self(0x8100);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// An 802.1ad service tag, then another tag.
    pub const SERVICE_VLAN: Self = Self(0x88a8);

    /// Whether the field is a length (an 802.3 frame with LLC) and not a type.
    pub const fn is_length(self) -> bool {
        self.0 < 0x0600
    }

    /// Whether a VLAN tag follows.
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::VLAN | Self::SERVICE_VLAN)
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// The header as it is on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct EtherHeader {
    /// Receiver.
    pub dst: MacAddr,
    /// Sender.
    pub src: MacAddr,
    ethertype: U16,
}

impl EtherHeader {
    /// A header.
    pub const fn new(dst: MacAddr, src: MacAddr, ethertype: EtherType) -> Self {
        Self { dst, src, ethertype: U16::new(ethertype.0) }
    }

    /// What the frame carries.
    pub const fn ethertype(&self) -> EtherType {
        EtherType(self.ethertype.get())
    }

    /// Splits a frame into its header and what follows.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<(&Self, &[u8]), Malformed> {
        Self::ref_from_prefix(frame).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 16] =
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0xaa, 0xbb];

    #[test]
    fn parses_and_emits_the_same_bytes() {
        let (header, rest) = EtherHeader::parse(&FRAME).unwrap();
        assert!(header.dst.is_broadcast());
        assert_eq!(header.src, MacAddr::local(1));
        assert_eq!(header.ethertype(), EtherType::ARP);
        assert_eq!(rest, [0xaa, 0xbb]);
        let again = EtherHeader::new(header.dst, header.src, EtherType::ARP);
        assert_eq!(again.as_bytes(), &FRAME[..HEADER_LEN]);
        assert_eq!(size_of::<EtherHeader>(), HEADER_LEN);
    }

    #[test]
    fn a_short_frame_is_malformed() {
        for len in 0..HEADER_LEN {
            assert_eq!(EtherHeader::parse(&FRAME[..len]), Err(Malformed));
        }
    }

    #[test]
    fn tags_and_lengths_are_told_from_types() {
        assert!(EtherType::VLAN.is_tag() && !EtherType::VLAN.is_length());
        assert!(EtherType(1500).is_length() && !EtherType::IPV4.is_length());
    }

    #[test]
    fn kinds_of_address() {
        assert!(MacAddr::BROADCAST.is_multicast() && !MacAddr::BROADCAST.is_unicast());
        assert!(!MacAddr::ZERO.is_unicast() && !MacAddr::ZERO.is_multicast());
        let made = MacAddr::local(u64::MAX);
        assert!(made.is_unicast() && made.is_local());
        assert_eq!(std::format!("{made}"), "fe:ff:ff:ff:ff:ff");
    }

    #[test]
    fn rfc1112_6_4_and_rfc2464_7_group_addresses() {
        let all_hosts = MacAddr::ipv4_multicast(Ipv4Addr::new(224, 128, 0, 251));
        assert_eq!(all_hosts, MacAddr([0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb]));
        let solicited = MacAddr::ipv6_multicast("ff02::1:ff12:3456".parse().unwrap());
        assert_eq!(solicited, MacAddr([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]));
    }

    extern crate std;
}
