//! The UDP header.
//!
//! * [`UdpHeader::parse`] checks the length; [`UdpHeader::is_valid`] the checksum, for which the
//!   caller sums the payload;
//! * [`UdpHeader::new`] and [`UdpHeader::set_checksum`] make one to send.
//!
//! Locking: none; bytes only.
//! Sources: RFC 768; RFC 1122 §4.1.3.4 (checksums).

use super::Malformed;
use crate::checksum::Sum;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of the header.
pub const HEADER_LEN: usize = 8;

/// The header as it is on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct UdpHeader {
    src_port: U16,
    dst_port: U16,
    len: U16,
    checksum: U16,
}

impl UdpHeader {
    /// Where the checksum is.
    pub const CHECKSUM_AT: usize = core::mem::offset_of!(Self, checksum);

    /// A header for this many bytes of payload, checksum "none". `None` if they are too many.
    pub fn new(src_port: u16, dst_port: u16, payload_len: usize) -> Option<Self> {
        let len = u16::try_from(payload_len.checked_add(HEADER_LEN)?).ok()?;
        Some(Self {
            src_port: U16::new(src_port),
            dst_port: U16::new(dst_port),
            len: U16::new(len),
            checksum: U16::ZERO,
        })
    }

    /// Splits the header off a datagram that begins with `head` and is `ip_payload_len` bytes
    /// long. The datagram may be shorter than what IP brought ([`UdpHeader::len`]), never longer.
    pub fn parse(head: &[u8], ip_payload_len: usize) -> Result<(&Self, &[u8]), Malformed> {
        let (header, rest) = Self::ref_from_prefix(head).map_err(|_| Malformed::Truncated)?;
        let len = usize::from(header.len.get());
        if len < HEADER_LEN {
            return Err(Malformed::Length);
        }
        if len > ip_payload_len {
            return Err(Malformed::Truncated);
        }
        Ok((header, rest))
    }

    /// Where it comes from; 0 if no answer is wanted.
    pub fn src_port(&self) -> u16 {
        self.src_port.get()
    }

    /// Where it goes.
    pub fn dst_port(&self) -> u16 {
        self.dst_port.get()
    }

    /// Length with header.
    #[expect(clippy::len_without_is_empty, reason = "a field of the packet, not a collection")]
    pub fn len(&self) -> u16 {
        self.len.get()
    }

    /// Whether the sender computed a checksum.
    pub fn has_checksum(&self) -> bool {
        self.checksum.get() != 0
    }

    /// Whether the checksum is right or absent. `pseudo` is the sum of the pseudo header (with
    /// [`UdpHeader::len`]), `payload` that of `len` minus eight bytes of payload.
    pub fn is_valid(&self, pseudo: Sum, payload: Sum) -> bool {
        !self.has_checksum() || self.sum(pseudo, payload).is_valid()
    }

    /// Computes the checksum; arguments as for [`UdpHeader::is_valid`].
    pub fn set_checksum(&mut self, pseudo: Sum, payload: Sum) {
        self.checksum = U16::ZERO;
        // RFC 768: a computed zero is sent as all ones, since zero means "none".
        let checksum = match self.sum(pseudo, payload).checksum() {
            0 => 0xffff,
            other => other,
        };
        self.checksum = U16::new(checksum);
    }

    fn sum(&self, mut sum: Sum, payload: Sum) -> Sum {
        sum.add(self.as_bytes());
        sum.append(payload);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::pseudo;
    use core::net::Ipv4Addr;
    use proptest::prelude::*;

    #[test]
    fn rfc768_lengths() {
        let bytes = *UdpHeader::new(5, 7, 4).unwrap().as_bytes().as_array::<8>().unwrap();
        assert_eq!(bytes, [0, 5, 0, 7, 0, 12, 0, 0]);
        assert!(UdpHeader::parse(&bytes, 12).is_ok());
        assert_eq!(UdpHeader::parse(&bytes, 11).err(), Some(Malformed::Truncated));
        assert_eq!(UdpHeader::parse(&bytes[..7], 12).err(), Some(Malformed::Truncated));
        assert_eq!(UdpHeader::parse(&[0, 5, 0, 7, 0, 7, 0, 0], 12).err(), Some(Malformed::Length));
        assert!(UdpHeader::new(5, 7, 65528).is_none());
    }

    #[test]
    fn rfc768_no_checksum_is_valid() {
        let header = UdpHeader::new(5, 7, 0).unwrap();
        assert!(header.is_valid(Sum::of(b"whatever"), Sum::new()));
    }

    #[test]
    fn rfc768_a_zero_checksum_is_sent_as_all_ones() {
        // The payload makes the sum all ones.
        let mut header = UdpHeader::new(0, 0, 2).unwrap();
        let payload = Sum::of(&(!10u16).to_be_bytes());
        header.set_checksum(Sum::new(), payload);
        assert_eq!(header.as_bytes()[6..], [0xff, 0xff]);
        assert!(header.is_valid(Sum::new(), payload));
    }

    proptest! {
        #[test]
        fn rfc1122_4_1_3_4_one_flipped_bit_is_found(
            src in any::<u32>(), dst in any::<u32>(),
            payload in prop::collection::vec(any::<u8>(), 1..64),
            bit in any::<prop::sample::Index>(),
        ) {
            let mut header = UdpHeader::new(1, 2, payload.len()).unwrap();
            let pseudo = pseudo(Ipv4Addr::from(src), Ipv4Addr::from(dst), 17, header.len());
            header.set_checksum(pseudo, Sum::of(&payload));
            prop_assert!(header.is_valid(pseudo, Sum::of(&payload)));
            let mut damaged = payload;
            let bit = bit.index(damaged.len() * 8);
            damaged[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!header.is_valid(pseudo, Sum::of(&damaged)));
        }
    }

    extern crate std;
}
