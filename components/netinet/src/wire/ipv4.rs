//! The IPv4 header.
//!
//! * [`Ipv4Header::parse`] checks a received packet and gives a [`Ipv4View`];
//! * [`Ipv4Header::parse_quoted`] reads the packet inside an ICMP error, of which only the
//!   beginning is there;
//! * [`Ipv4Header::new`] and [`Ipv4Header::set_checksum`] make one to send;
//! * [`Ipv4Header::decrement_ttl`] is all that forwarding changes.
//!
//! Locking: none; bytes only.
//! Sources: RFC 791 §3.1; RFC 1122 §3.2.1; RFC 1812 §5.2.2 (checks); RFC 1624 (TTL);
//! RFC 6864 (identification).

use super::Malformed;
use crate::checksum::{self, Sum};
use core::net::Ipv4Addr;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of a header without options.
pub const MIN_HEADER_LEN: usize = 20;
/// Length of the longest header.
pub const MAX_HEADER_LEN: usize = 60;
/// Every link carries packets of this length (RFC 791 §3.2).
pub const MIN_MTU: usize = 68;

/// Protocol numbers.
pub mod protocol {
    /// Control messages.
    pub const ICMP: u8 = 1;
    /// Membership in groups.
    pub const IGMP: u8 = 2;
    /// Transmission control.
    pub const TCP: u8 = 6;
    /// User datagrams.
    pub const UDP: u8 = 17;
}

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// The fixed part of the header as it is on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv4Header {
    version_ihl: u8,
    /// Differentiated services and congestion notification; once "type of service".
    pub tos: u8,
    total_len: U16,
    id: U16,
    flags_offset: U16,
    /// Hops left.
    pub ttl: u8,
    /// What the payload is.
    pub protocol: u8,
    checksum: U16,
    src: U32,
    dst: U32,
}

/// A packet that passed the checks.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4View<'a> {
    /// The fixed part.
    pub header: &'a Ipv4Header,
    /// The options, unchecked; a multiple of four bytes, at most 40.
    pub options: &'a [u8],
    /// Length of the header with options.
    pub header_len: usize,
    /// Length of the packet without what the link padded.
    pub total_len: usize,
}

impl Ipv4View<'_> {
    /// Length of the payload.
    pub fn payload_len(&self) -> usize {
        self.total_len.saturating_sub(self.header_len)
    }
}

impl Ipv4Header {
    /// A header without options, with a zero checksum and a zero identification, to be sent
    /// unfragmented or not as the caller sets it.
    pub fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, ttl: u8, total_len: u16) -> Self {
        Self {
            version_ihl: 0x45,
            tos: 0,
            total_len: U16::new(total_len),
            id: U16::ZERO,
            flags_offset: U16::ZERO,
            ttl,
            protocol,
            checksum: U16::ZERO,
            src: U32::new(src.to_bits()),
            dst: U32::new(dst.to_bits()),
        }
    }

    /// How many bytes must be contiguous for [`Ipv4Header::parse`], told from the first byte.
    pub fn contiguous(first: u8) -> usize {
        (usize::from(first & 0x0f) * 4).max(MIN_HEADER_LEN)
    }

    /// Checks the packet that begins with `head` and is `packet_len` bytes long (with padding of
    /// the link). `head` holds at least [`Ipv4Header::contiguous`] bytes.
    #[inline]
    pub fn parse(head: &[u8], packet_len: usize) -> Result<Ipv4View<'_>, Malformed> {
        let view = Self::split(head)?;
        // RFC 1812 §5.2.2 (2): the checksum, over the options too.
        let whole = head.get(..view.header_len).ok_or(Malformed::Truncated)?;
        if !Sum::of(whole).is_valid() {
            return Err(Malformed::Checksum);
        }
        // RFC 1812 §5.2.2 (5) and the minimum of the link layer.
        if view.total_len < view.header_len {
            return Err(Malformed::Length);
        }
        if view.total_len > packet_len {
            return Err(Malformed::Truncated);
        }
        Ok(view)
    }

    /// The packet quoted by an ICMP error, and what is there of its payload. Neither its length
    /// nor its checksum means anything: routers on the way changed it.
    pub fn parse_quoted(quote: &[u8]) -> Result<(Ipv4View<'_>, &[u8]), Malformed> {
        let view = Self::split(quote)?;
        let rest = quote.get(view.header_len..).ok_or(Malformed::Truncated)?;
        Ok((view, rest))
    }

    fn split(head: &[u8]) -> Result<Ipv4View<'_>, Malformed> {
        let (header, rest) = Self::ref_from_prefix(head).map_err(|_| Malformed::Truncated)?;
        if header.version_ihl >> 4 != 4 {
            return Err(Malformed::Version);
        }
        let header_len = usize::from(header.version_ihl & 0x0f) * 4;
        let options_len = header_len.checked_sub(MIN_HEADER_LEN).ok_or(Malformed::HeaderLength)?;
        let options = rest.get(..options_len).ok_or(Malformed::Truncated)?;
        let total_len = usize::from(header.total_len.get());
        Ok(Ipv4View { header, options, header_len, total_len })
    }

    /// Where it comes from.
    #[inline]
    pub fn src(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.src.get())
    }

    /// Where it goes.
    #[inline]
    pub fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.dst.get())
    }

    /// The version of the protocol, as it claims.
    pub fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Length of the header with options, as it claims.
    pub fn header_len(&self) -> usize {
        usize::from(self.version_ihl & 0x0f) * 4
    }

    /// Length of the packet, as it claims.
    pub fn total_len(&self) -> u16 {
        self.total_len.get()
    }

    /// Identification.
    pub fn id(&self) -> u16 {
        self.id.get()
    }

    /// Whether routers must not fragment it.
    pub fn dont_fragment(&self) -> bool {
        self.flags_offset.get() & DONT_FRAGMENT != 0
    }

    /// Whether another fragment follows.
    pub fn more_fragments(&self) -> bool {
        self.flags_offset.get() & MORE_FRAGMENTS != 0
    }

    /// Where the payload belongs in the datagram's, in bytes.
    pub fn fragment_offset(&self) -> usize {
        usize::from(self.flags_offset.get() & OFFSET_MASK) * 8
    }

    /// Whether it is a piece of a datagram and not the whole.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.flags_offset.get() & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }

    /// Sets the header length for this many bytes of options, a multiple of four up to 40.
    /// More is cut off.
    pub fn set_options_len(&mut self, len: usize) {
        self.version_ihl = 0x45 + (len.div_ceil(4)).min(10) as u8;
    }

    /// Sets the length of the packet.
    pub fn set_total_len(&mut self, len: u16) {
        self.total_len = U16::new(len);
    }

    /// Sets the source.
    pub fn set_src(&mut self, src: Ipv4Addr) {
        self.src = U32::new(src.to_bits());
    }

    /// Sets the destination.
    pub fn set_dst(&mut self, dst: Ipv4Addr) {
        self.dst = U32::new(dst.to_bits());
    }

    /// Sets the identification.
    pub fn set_id(&mut self, id: u16) {
        self.id = U16::new(id);
    }

    /// Sets or clears "do not fragment".
    pub fn set_dont_fragment(&mut self, on: bool) {
        let rest = self.flags_offset.get() & !DONT_FRAGMENT;
        self.flags_offset = U16::new(rest | if on { DONT_FRAGMENT } else { 0 });
    }

    /// Sets the place in the datagram: `offset` in bytes (a multiple of eight), and whether more
    /// follows.
    pub fn set_fragment(&mut self, offset: usize, more: bool) {
        let units = (offset / 8) as u16 & OFFSET_MASK;
        let kept = self.flags_offset.get() & DONT_FRAGMENT;
        self.flags_offset = U16::new(kept | units | if more { MORE_FRAGMENTS } else { 0 });
    }

    /// Computes the checksum; `options` are the bytes that follow this header.
    pub fn set_checksum(&mut self, options: &[u8]) {
        self.checksum = U16::ZERO;
        let mut sum = Sum::of(self.as_bytes());
        if !options.is_empty() {
            sum.add(options);
        }
        self.checksum = U16::new(sum.checksum());
    }

    /// Takes one hop off, and corrects the checksum by RFC 1624 instead of summing again. False,
    /// and nothing changes, when the hops are used up and the packet must not be forwarded
    /// (RFC 1812 §5.3.1).
    #[inline]
    #[must_use]
    pub fn decrement_ttl(&mut self) -> bool {
        if self.ttl <= 1 {
            return false;
        }
        let old = u16::from_be_bytes([self.ttl, self.protocol]);
        self.ttl -= 1;
        let new = u16::from_be_bytes([self.ttl, self.protocol]);
        self.checksum = U16::new(checksum::update(self.checksum.get(), old, new));
        true
    }
}

#[cfg(test)]
mod tests;
