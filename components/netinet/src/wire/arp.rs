//! The ARP packet, for IPv4 over Ethernet.
//!
//! * [`ArpPacket::parse`] refuses every other combination;
//! * [`ArpPacket::request`], [`ArpPacket::reply`], [`ArpPacket::announcement`] and
//!   [`ArpPacket::probe`] make what is sent.
//!
//! Locking: none; bytes only.
//! Sources: RFC 826; RFC 5227 §1.1 (probe and announcement).

use super::Malformed;
use core::net::Ipv4Addr;
use net::ethernet::wire::{EtherType, MacAddr};
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of the packet.
pub const PACKET_LEN: usize = 28;

const HARDWARE_ETHERNET: u16 = 1;
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// The packet as it is on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct ArpPacket {
    hardware: U16,
    protocol: U16,
    hardware_len: u8,
    protocol_len: u8,
    operation: U16,
    /// Link address of the sender.
    pub sender_mac: MacAddr,
    sender_ip: U32,
    /// Link address of the target; in a request, nothing.
    pub target_mac: MacAddr,
    target_ip: U32,
}

impl ArpPacket {
    fn new(operation: u16, sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Self {
        Self {
            hardware: U16::new(HARDWARE_ETHERNET),
            protocol: U16::new(EtherType::IPV4.0),
            hardware_len: 6,
            protocol_len: 4,
            operation: U16::new(operation),
            sender_mac: sender.0,
            sender_ip: U32::new(sender.1.to_bits()),
            target_mac: target.0,
            target_ip: U32::new(target.1.to_bits()),
        }
    }

    /// "Who has `target_ip`?"
    pub fn request(mac: MacAddr, ip: Ipv4Addr, target_ip: Ipv4Addr) -> Self {
        Self::new(REQUEST, (mac, ip), (MacAddr::ZERO, target_ip))
    }

    /// "I do", to whoever asked.
    pub fn reply(mac: MacAddr, ip: Ipv4Addr, to_mac: MacAddr, to_ip: Ipv4Addr) -> Self {
        Self::new(REPLY, (mac, ip), (to_mac, to_ip))
    }

    /// "I am `ip`", to everybody (RFC 5227 §2.3).
    pub fn announcement(mac: MacAddr, ip: Ipv4Addr) -> Self {
        Self::request(mac, ip, ip)
    }

    /// "Is anybody `ip`?", from one who has no address yet (RFC 5227 §2.1).
    pub fn probe(mac: MacAddr, ip: Ipv4Addr) -> Self {
        Self::request(mac, Ipv4Addr::UNSPECIFIED, ip)
    }

    /// Checks a packet; what follows is padding. The first four fields must be those of IPv4
    /// over Ethernet, and the operation a request or a reply.
    pub fn parse(bytes: &[u8]) -> Result<&Self, Malformed> {
        let (packet, _) = Self::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let known = packet.hardware.get() == HARDWARE_ETHERNET
            && packet.protocol.get() == EtherType::IPV4.0
            && (packet.hardware_len, packet.protocol_len) == (6, 4)
            && matches!(packet.operation.get(), REQUEST | REPLY);
        if known { Ok(packet) } else { Err(Malformed::Field) }
    }

    /// Whether it asks.
    pub fn is_request(&self) -> bool {
        self.operation.get() == REQUEST
    }

    /// IPv4 address of the sender.
    pub fn sender_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.sender_ip.get())
    }

    /// IPv4 address of the target.
    pub fn target_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.target_ip.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO_HAS: [u8; 28] = [
        0, 1, 8, 0, 6, 4, 0, 1, // Ethernet, IPv4, request
        2, 0, 0, 0, 0, 1, 10, 0, 0, 1, // sender
        0, 0, 0, 0, 0, 0, 10, 0, 0, 2, // target
    ];

    #[test]
    fn rfc826_the_request_is_byte_for_byte_right() {
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let request = ArpPacket::request(MacAddr::local(1), a, b);
        assert_eq!(request.as_bytes(), WHO_HAS);
        assert_eq!(ArpPacket::parse(&WHO_HAS), Ok(&request));
        assert!(request.is_request());
        assert!(!ArpPacket::reply(MacAddr::local(2), b, MacAddr::local(1), a).is_request());
    }

    #[test]
    fn rfc826_other_hardware_protocols_and_operations_are_refused() {
        for at in 0..8 {
            let mut bytes = WHO_HAS;
            bytes[at] ^= 0x10;
            assert_eq!(ArpPacket::parse(&bytes), Err(Malformed::Field), "byte {at}");
        }
        for len in 0..PACKET_LEN {
            assert_eq!(ArpPacket::parse(&WHO_HAS[..len]), Err(Malformed::Truncated));
        }
    }

    #[test]
    fn padding_is_ignored() {
        let mut frame = [0xee; 46];
        frame[..28].copy_from_slice(&WHO_HAS);
        assert!(ArpPacket::parse(&frame).is_ok());
    }

    #[test]
    fn rfc5227_1_1_probe_and_announcement() {
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        let probe = ArpPacket::probe(MacAddr::local(1), ip);
        assert_eq!((probe.sender_ip(), probe.target_ip()), (Ipv4Addr::UNSPECIFIED, ip));
        let announcement = ArpPacket::announcement(MacAddr::local(1), ip);
        assert_eq!((announcement.sender_ip(), announcement.target_ip()), (ip, ip));
        assert!(announcement.is_request());
    }
}
